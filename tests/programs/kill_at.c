/* Counts what changes the files below a folder, and kills the process right before a change of a given number.

   Loaded by LD_PRELOAD, so that it stands before the C library's functions for Python, HDF5 and TensorFlow
   alike. What is called through fwrite is counted when it is called, not when the buffer is written. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char watched[PATH_MAX];
static size_t watched_length;
static long count, last = -1;

void watch(const char *folder, long kill_before) {
    strncpy(watched, folder, sizeof watched - 1);
    watched_length = strlen(watched);
    count = 0;
    last = kill_before;
}

long changes(void) { return count; }

/* TensorBoard's files are written by a thread of its own, at no certain time, and nothing reads them. */
static void at_path(const char *path) {
    if (!watched_length || strncmp(path, watched, watched_length) || strstr(path, "/logs/")) return;
    if (__sync_fetch_and_add(&count, 1) == last) kill(getpid(), SIGKILL);
}

static void at_descriptor(int descriptor) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = watched_length ? readlink(link, path, sizeof path - 1) : -1;
    if (length < 0) return;
    path[length] = 0;
    at_path(path);
}

static void at_place(int folder, const char *name) {
    char link[64], path[PATH_MAX + NAME_MAX + 2];
    if (name[0] == '/' || folder == AT_FDCWD) { at_path(name); return; }
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t length = watched_length ? readlink(link, path, PATH_MAX) : -1;
    if (length < 0) return;
    snprintf(path + length, NAME_MAX + 2, "/%s", name);
    at_path(path);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define STAND_BEFORE(result, name, declared, before, given) \
    result name declared { before; return REAL(name) given; }

STAND_BEFORE(ssize_t, write, (int f, const void *b, size_t n), at_descriptor(f), (f, b, n))
STAND_BEFORE(ssize_t, pwrite, (int f, const void *b, size_t n, off_t o), at_descriptor(f), (f, b, n, o))
STAND_BEFORE(ssize_t, pwrite64, (int f, const void *b, size_t n, off64_t o), at_descriptor(f), (f, b, n, o))
STAND_BEFORE(ssize_t, writev, (int f, const struct iovec *v, int n), at_descriptor(f), (f, v, n))
STAND_BEFORE(ssize_t, sendfile, (int f, int g, off_t *o, size_t n), at_descriptor(f), (f, g, o, n))
STAND_BEFORE(ssize_t, sendfile64, (int f, int g, off64_t *o, size_t n), at_descriptor(f), (f, g, o, n))
STAND_BEFORE(int, ftruncate, (int f, off_t n), at_descriptor(f), (f, n))
STAND_BEFORE(int, ftruncate64, (int f, off64_t n), at_descriptor(f), (f, n))
STAND_BEFORE(size_t, fwrite, (const void *b, size_t s, size_t n, FILE *f), at_descriptor(fileno(f)), (b, s, n, f))
STAND_BEFORE(int, rename, (const char *a, const char *b), at_path(a), (a, b))
STAND_BEFORE(int, renameat, (int d, const char *a, int e, const char *b), at_place(d, a), (d, a, e, b))
STAND_BEFORE(int, unlink, (const char *a), at_path(a), (a))
STAND_BEFORE(int, unlinkat, (int d, const char *a, int n), at_place(d, a), (d, a, n))
STAND_BEFORE(int, rmdir, (const char *a), at_path(a), (a))
STAND_BEFORE(int, mkdir, (const char *a, mode_t m), at_path(a), (a, m))
STAND_BEFORE(int, mkdirat, (int d, const char *a, mode_t m), at_place(d, a), (d, a, m))

static void at_opening(int folder, const char *name, int flags) {
    if (flags & (O_CREAT | O_TRUNC)) at_place(folder, name);
}

#define MODE(flags, mode) \
    mode_t mode = 0; \
    if (flags & (O_CREAT | __O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }

int open(const char *a, int flags, ...) { MODE(flags, m) at_opening(AT_FDCWD, a, flags); return REAL(open)(a, flags, m); }
int open64(const char *a, int flags, ...) { MODE(flags, m) at_opening(AT_FDCWD, a, flags); return REAL(open64)(a, flags, m); }
int openat(int d, const char *a, int flags, ...) { MODE(flags, m) at_opening(d, a, flags); return REAL(openat)(d, a, flags, m); }
int openat64(int d, const char *a, int flags, ...) { MODE(flags, m) at_opening(d, a, flags); return REAL(openat64)(d, a, flags, m); }

static void at_mode(const char *name, const char *mode) {
    if (mode[0] != 'r') at_place(AT_FDCWD, name);
}

STAND_BEFORE(FILE *, fopen, (const char *a, const char *m), at_mode(a, m), (a, m))
STAND_BEFORE(FILE *, fopen64, (const char *a, const char *m), at_mode(a, m), (a, m))
