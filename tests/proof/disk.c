/* A disk that becomes full, or fails, at the N-th write: loaded before the C library.

   Writes to files below $PROOF_DISK_FOLDER are counted in the file $PROOF_DISK_CONTROL, which the
   test shares. What is full stays full: half of the N-th write still fits. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OFF, ONCE, FROM_THEN_ON };

struct control {
    volatile int64_t mode, error, number, seen, failed;
};

static struct control *control;
static const char *folder;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("PROOF_DISK_CONTROL");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;

    folder = getenv("PROOF_DISK_FOLDER");
    if (file < 0 || !folder)
        return;
    void *shared = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (shared != MAP_FAILED)
        control = shared;
}

static int fails(const char *path)
{
    if (!control || control->mode == OFF || !path || strncmp(path, folder, strlen(folder)) != 0)
        return 0;
    int64_t now = __sync_add_and_fetch(&control->seen, 1);
    if (control->number == 0 || now < control->number)
        return 0;
    if (control->mode == ONCE && now > control->number)
        return 0;
    __sync_add_and_fetch(&control->failed, 1);
    errno = (int)control->error;
    return 1;
}

static int fails_at(int file)
{
    char link[40], path[4096];

    if (!control || control->mode == OFF)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return fails(path);
}

/* The last write before a disk is full is cut short. */
static size_t fitting(size_t count)
{
    int last = control->mode == FROM_THEN_ON && control->error == ENOSPC && control->failed == 1;
    return last ? count / 2 : 0;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int file, const void *bytes, size_t count)
{
    if (!fails_at(file))
        return NEXT(write)(file, bytes, count);
    size_t part = fitting(count);
    return part ? NEXT(write)(file, bytes, part) : -1;
}

#define PWRITE(name, offset_type)                                              \
    ssize_t name(int file, const void *bytes, size_t count, offset_type at)    \
    {                                                                          \
        if (!fails_at(file))                                                   \
            return NEXT(name)(file, bytes, count, at);                         \
        size_t part = fitting(count);                                          \
        return part ? NEXT(name)(file, bytes, part, at) : -1;                  \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define BY_FILE(name, parameters, arguments)                                   \
    int name parameters                                                        \
    {                                                                          \
        return fails_at(file) ? -1 : NEXT(name) arguments;                     \
    }
BY_FILE(ftruncate, (int file, off_t size), (file, size))
BY_FILE(ftruncate64, (int file, off64_t size), (file, size))
BY_FILE(fallocate, (int file, int mode, off_t at, off_t size), (file, mode, at, size))
BY_FILE(fsync, (int file), (file))
BY_FILE(fdatasync, (int file), (file))

int posix_fallocate(int file, off_t at, off_t size)
{
    return fails_at(file) ? errno : NEXT(posix_fallocate)(file, at, size);
}

/* A new file needs room in its folder. */
#define OPEN(name)                                                             \
    int name(const char *path, int flags, ...)                                 \
    {                                                                          \
        va_list more;                                                          \
        va_start(more, flags);                                                 \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0; \
        va_end(more);                                                          \
        if (flags & O_CREAT && access(path, F_OK) != 0 && fails(path))         \
            return -1;                                                         \
        return NEXT(name)(path, flags, mode);                                  \
    }
OPEN(open)
OPEN(open64)
