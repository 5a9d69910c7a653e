/* A machine whose date is OFFSET_S seconds on: preloaded, it moves the clock and the times of
 * files together, so that nothing is old because it was just made. Clocks that count from the
 * start of the machine stay as they are. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <utime.h>

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

int clock_gettime(clockid_t clock, struct timespec *now) {
    REAL(clock_gettime);
    int status = real(clock, now);
    if (!status && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += OFFSET_S;
    return status;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    REAL(gettimeofday);
    int status = real(now, zone);
    if (!status) now->tv_sec += OFFSET_S;
    return status;
}

time_t time(time_t *to) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (to) *to = now.tv_sec;
    return now.tv_sec;
}

#define MOVED(kind, name, parameters, arguments) \
    int name parameters { \
        REAL(name); \
        int status = real arguments; \
        if (!status) { \
            found->st_atim.tv_sec += OFFSET_S; \
            found->st_mtim.tv_sec += OFFSET_S; \
            found->st_ctim.tv_sec += OFFSET_S; \
        } \
        return status; \
    }
#define ALL_OF(kind, end) \
    MOVED(kind, stat##end, (const char *restrict path, struct kind *restrict found), (path, found)) \
    MOVED(kind, lstat##end, (const char *restrict path, struct kind *restrict found), (path, found)) \
    MOVED(kind, fstat##end, (int file, struct kind *found), (file, found)) \
    MOVED(kind, fstatat##end, \
          (int at, const char *restrict path, struct kind *restrict found, int flags), \
          (at, path, found, flags))
ALL_OF(stat, )
ALL_OF(stat64, 64)

int statx(int at, const char *restrict path, int flags, unsigned mask,
          struct statx *restrict found) {
    REAL(statx);
    int status = real(at, path, flags, mask, found);
    if (!status) {
        found->stx_atime.tv_sec += OFFSET_S;
        found->stx_mtime.tv_sec += OFFSET_S;
        found->stx_ctime.tv_sec += OFFSET_S;
        found->stx_btime.tv_sec += OFFSET_S;
    }
    return status;
}

static const struct timespec *moved_back(const struct timespec times[2], struct timespec to[2]) {
    if (!times) return NULL;
    for (int i = 0; i < 2; i++) {
        to[i] = times[i];
        if (to[i].tv_nsec != UTIME_NOW && to[i].tv_nsec != UTIME_OMIT) to[i].tv_sec -= OFFSET_S;
    }
    return to;
}

int utimensat(int at, const char *path, const struct timespec times[2], int flags) {
    REAL(utimensat);
    struct timespec to[2];
    return real(at, path, moved_back(times, to), flags);
}

int futimens(int file, const struct timespec times[2]) {
    REAL(futimens);
    struct timespec to[2];
    return real(file, moved_back(times, to));
}
