# Pinned by tag. Pin by digest where you build for others: `docker buildx imagetools inspect` names it.
ARG BASE=python:3.13-slim-bookworm

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /source
# Dependencies first: they change seldom, and this layer is kept.
COPY requirements.lock ./
COPY deploy/build.lock ./deploy/
RUN python -m venv --without-pip /venv \
    && python -m pip --python /venv install --require-hashes --only-binary :all: -r requirements.lock
RUN python -m venv /build \
    && /build/bin/python -m pip install --require-hashes --only-binary :all: -r deploy/build.lock
COPY . .
# Nothing is fetched here but the front-end files, whose hashes are in package-lock.json.
RUN /build/bin/python -m pip wheel --no-build-isolation --no-deps --no-index --wheel-dir /wheel . \
    && python -m pip --python /venv install --no-deps --no-index /wheel/*.whl

FROM ${BASE}
# A number of its own, so that what is in the volumes belongs to nobody else on the host.
RUN groupadd --gid 10001 foliosync \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin foliosync \
    && install -d -m 0700 -o 10001 -g 10001 /data /keys \
    && python -m pip uninstall --yes --root-user-action ignore pip
COPY --from=build /venv /venv
# It listens on loopback only until somebody says otherwise: see compose.yaml.
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    FOLIOSYNC_DATA_DIR=/data
WORKDIR /data
USER 10001:10001
VOLUME ["/data", "/keys"]
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=15s --start-period=60s --retries=3 CMD ["foliosync", "health"]
CMD ["gunicorn", "-c", "python:portfolio.gunicorn"]
