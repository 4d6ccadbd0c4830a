"""The cookie of a login, and what a request says of the browser that sends it."""

from __future__ import annotations

from datetime import timedelta

from flask import Response, request

from portfolio.users.sessions import Client

NAME = "foliosync_login"
BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "Firefox/": "Firefox",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "Mac OS": "Mac",
    "Linux": "Linux",
}


def cookie_name() -> str:
    """The cookie's name; behind https one that no other host and no plain page can set."""
    return f"__Host-{NAME}" if request.is_secure else NAME


def read() -> str:
    """The id that the browser sends, or nothing."""
    return request.cookies.get(cookie_name(), "")


def write(response: Response, secret: str, length: timedelta) -> Response:
    """Give the browser its id."""
    response.set_cookie(
        cookie_name(),
        secret,
        max_age=length,
        secure=request.is_secure,
        httponly=True,
        samesite="Strict",
    )
    return response


def clear(response: Response) -> Response:
    """Take the id from the browser."""
    response.delete_cookie(
        cookie_name(), secure=request.is_secure, httponly=True, samesite="Strict"
    )
    return response


def client() -> Client:
    """The browser's family, its system, and its address, for the list of logins."""
    agent = request.user_agent.string
    browser = next((name for sign, name in BROWSERS.items() if sign in agent), "Another browser")
    system = next((name for sign, name in SYSTEMS.items() if sign in agent), "")
    shown = f"{browser} on {system}" if system else browser
    return Client(browser=shown, address=address())


def address() -> str:
    """The network address that the request comes from."""
    return request.remote_addr or ""
