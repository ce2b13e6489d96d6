/* A file system that fails at the n-th call, for tests: preloaded, it counts what changes files under a folder.

   fault_arm(folder, n, mode): the n-th such call from now on fails with ENOSPC (mode 1), it and all that add bytes
   after it do (2), or the process is killed in the middle of it (3); n = 0 only counts. fault_count(): calls so far. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char folder[PATH_MAX];
static size_t length;
static long target, mode;
static long count;

void fault_arm(const char *where, long n, long how) {
    snprintf(folder, sizeof folder, "%s", where);
    length = strlen(folder);
    target = n;
    mode = how;
    count = 0;
}

long fault_count(void) { return count; }

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int inside(const char *path) { return length && path && strncmp(path, folder, length) == 0; }

static int inside_fd(int fd) {
    char link[64], path[PATH_MAX];
    if (!length) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return inside(path);
}

/* Whether the call at hand, which adds bytes or not, fails; kills where that is asked for. */
static int fails(int adds) {
    long now = __sync_add_and_fetch(&count, 1);
    if (!target) return 0;
    if (mode == 3 && now == target) kill(getpid(), SIGKILL);
    if ((mode == 1 && now == target) || (mode == 2 && now >= target && adds)) {
        errno = ENOSPC;
        return 1;
    }
    return 0;
}

ssize_t write(int fd, const void *data, size_t size) {
    if (!inside_fd(fd)) return REAL(write)(fd, data, size);
    if (mode == 3 && target && count + 1 == target && size > 1) REAL(write)(fd, data, size / 2); /* torn */
    return fails(1) ? -1 : REAL(write)(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    return inside_fd(fd) && fails(1) ? -1 : REAL(pwrite)(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    return inside_fd(fd) && fails(1) ? -1 : REAL(pwrite64)(fd, data, size, at);
}

ssize_t writev(int fd, const struct iovec *parts, int n) {
    return inside_fd(fd) && fails(1) ? -1 : REAL(writev)(fd, parts, n);
}

#define OPENS (O_CREAT | O_TRUNC)
#define MODE(flags, last)                     \
    mode_t permissions = 0;                   \
    if ((flags) & (O_CREAT | O_TMPFILE)) {    \
        va_list more;                         \
        va_start(more, last);                 \
        permissions = va_arg(more, mode_t);   \
        va_end(more);                         \
    }

int open(const char *path, int flags, ...) {
    MODE(flags, flags)
    return (flags & OPENS) && inside(path) && fails(1) ? -1 : REAL(open)(path, flags, permissions);
}

int open64(const char *path, int flags, ...) {
    MODE(flags, flags)
    return (flags & OPENS) && inside(path) && fails(1) ? -1 : REAL(open64)(path, flags, permissions);
}

int openat(int at, const char *path, int flags, ...) {
    MODE(flags, flags)
    return (flags & OPENS) && inside(path) && fails(1) ? -1 : REAL(openat)(at, path, flags, permissions);
}

FILE *fopen(const char *path, const char *how) {
    return strpbrk(how, "wa+") && inside(path) && fails(1) ? NULL : REAL(fopen)(path, how);
}

FILE *fopen64(const char *path, const char *how) {
    return strpbrk(how, "wa+") && inside(path) && fails(1) ? NULL : REAL(fopen64)(path, how);
}

int mkdir(const char *path, mode_t how) { return inside(path) && access(path, F_OK) && fails(1) ? -1 : REAL(mkdir)(path, how); }
int rename(const char *from, const char *to) { return inside(to) && fails(0) ? -1 : REAL(rename)(from, to); }
int link(const char *from, const char *to) { return inside(to) && fails(1) ? -1 : REAL(link)(from, to); }
int symlink(const char *to, const char *at) { return inside(at) && fails(1) ? -1 : REAL(symlink)(to, at); }
int linkat(int a, const char *from, int b, const char *to, int flags) {
    return inside(to) && fails(1) ? -1 : REAL(linkat)(a, from, b, to, flags);
}
int renameat2(int a, const char *from, int b, const char *to, unsigned flags) {
    return inside(to) && fails(0) ? -1 : REAL(renameat2)(a, from, b, to, flags);
}
int unlink(const char *path) { return inside(path) && fails(0) ? -1 : REAL(unlink)(path); }
int fsync(int fd) { return inside_fd(fd) && fails(0) ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return inside_fd(fd) && fails(0) ? -1 : REAL(fdatasync)(fd); }
int ftruncate(int fd, off_t size) { return inside_fd(fd) && fails(1) ? -1 : REAL(ftruncate)(fd, size); }
int ftruncate64(int fd, off64_t size) { return inside_fd(fd) && fails(1) ? -1 : REAL(ftruncate64)(fd, size); }
