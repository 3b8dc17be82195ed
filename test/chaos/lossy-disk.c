// Loaded into a server with LD_PRELOAD: before a file below one directory changes, what it held is written to a journal
// beside it, and so is every sync that succeeded. Whoever kills the server rebuilds from the journal what a power loss
// might have left (crash-image.ts). Faults are injected here too: the error codes, short writes and slow syncs; reads fail
// in bad-sectors.c.
//
//   LOSSY_DISK_ROOT     the directory, absolute; what is strictly below it is watched
//   LOSSY_DISK_JOURNAL  the journal, outside of it; it is appended to, over several lives
//   LOSSY_DISK_REMOVED  a directory on the same file system, for what was removed and may have to come back
//   LOSSY_DISK_FAULTS   kind:count,... the count-th operation of that kind is hit; see `kinds`
#include "lossy-disk.h"
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

// The numbers are those of journal.ts.
enum { WRITE = 1, SYNC, SYNC_RANGE, SYNC_FAILED, CREATE, REMOVE, RENAME, FAULT, MAPPED };

struct header {
  uint32_t magic, kind;
  uint64_t file, a, b, c, d;
  uint32_t text_length, data_length;
};
_Static_assert(sizeof(struct header) == 56, "the journal's header has no padding");

enum { MAX_FILES = 65536, SLOW_SYNC_US = 25000 };
// To the end of a file, wherever in its last sector that is.
static const off_t END = INT64_MAX;

static struct watched files[MAX_FILES];
// One at a time: a record of the journal and the change that it is about are not parted by another change.
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static int journal = -1;
static char root[PATH_MAX], removed[PATH_MAX];
static size_t root_length;

enum { SYNC_EIO, WRITE_EIO, WRITE_ENOSPC, SHORT_WRITE, SLOW_SYNC, KINDS };
static const char *const kinds[KINDS] = {"sync-eio", "write-eio", "write-enospc", "short-write", "slow-sync"};
static long countdown[KINDS], period[KINDS];

void give_up(const char *what) {
  fprintf(stderr, "lossy-disk: %s: %s\n", what, strerror(errno));
  abort();
}

void *real_of(const char *name) {
  void *found = dlsym(RTLD_NEXT, name);
  if (found == NULL) give_up(name);
  return found;
}

static void write_all(const void *bytes, size_t length) {
  while (length > 0) {
    ssize_t count = REAL(write)(journal, bytes, length);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) give_up("the journal cannot be written");
    bytes = (const char *)bytes + count;
    length -= count;
  }
}

static void record(struct header header, const char *text, size_t text_length, const void *data, size_t length) {
  int error = errno;
  header.magic = 0x4b534944;
  header.text_length = text_length;
  header.data_length = length;
  write_all(&header, sizeof header);
  if (text_length > 0) write_all(text, text_length);
  if (length > 0) write_all(data, length);
  errno = error;
}

// Another process may write to the journal, too: the one that reads a store before it is opened.
static off_t journal_end(void) { return lseek(journal, 0, SEEK_END); }

// In a call that the loader makes before `start` nothing is watched.
__attribute__((constructor)) static void start(void) {
  const char *given = getenv("LOSSY_DISK_ROOT"), *path = getenv("LOSSY_DISK_JOURNAL");
  const char *keep = getenv("LOSSY_DISK_REMOVED"), *faults = getenv("LOSSY_DISK_FAULTS");
  const char *bad = getenv("LOSSY_DISK_BAD");
  if (given == NULL || path == NULL || keep == NULL) return;
  journal = REAL(open)(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (journal < 0) give_up(path);
  snprintf(root, sizeof root, "%s", given);
  snprintf(removed, sizeof removed, "%s", keep);
  if (bad != NULL) map_bad_sectors(bad);
  for (int kind = 0; faults != NULL && kind < KINDS; kind += 1) {
    const char *found = strstr(faults, kinds[kind]);
    if (found != NULL) countdown[kind] = atol(found + strlen(kinds[kind]) + 1);
    if (kind >= SHORT_WRITE) period[kind] = countdown[kind];
  }
  root_length = strlen(root);
  // Whoever started the process is not to leave it behind, however it ends itself.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
}

// Whether the fault strikes now. Errors do once, the others again and again.
static int strikes(int kind, const char *name) {
  if (countdown[kind] == 0 || --countdown[kind] > 0) return 0;
  countdown[kind] = period[kind];
  char text[128];
  int length = snprintf(text, sizeof text, "%s %s", kinds[kind], name);
  record((struct header){.kind = FAULT}, text, length, NULL, 0);
  return 1;
}

static int is_root(const char *path) { return root_length > 0 && strcmp(path, root) == 0; }

static int is_below(const char *path) {
  int starts = root_length > 0 && strncmp(path, root, root_length) == 0 && path[root_length] == '/';
  return starts && path[root_length + 1] != 0;
}

static const char *name_of(const char *path) { return strrchr(path, '/') + 1; }

static ino_t parent_of(const char *path) {
  char parent[PATH_MAX];
  struct stat found;
  snprintf(parent, sizeof parent, "%.*s", (int)(name_of(path) - 1 - path), path);
  if (stat(parent, &found) != 0) give_up(parent);
  return found.st_ino;
}

// What a write of `span` bytes at `at` overwrites, or a truncation to `at` cuts off.
static void record_undo(int reader, ino_t ino, off_t at, size_t span, off_t old_size, off_t new_size) {
  size_t length = at >= old_size ? 0 : (size_t)(old_size - at) < span ? (size_t)(old_size - at) : span;
  char *old = malloc(length + 1);
  if (old == NULL) give_up("no memory");
  for (size_t done = 0; done < length;) {
    ssize_t count = REAL(pread)(reader, old + done, length - done, at + done);
    if (count <= 0) give_up("what is overwritten cannot be read");
    done += count;
  }
  record((struct header){0, WRITE, ino, at, span, old_size, new_size, 0, 0}, NULL, 0, old, length);
  free(old);
}

static void forget(int fd) {
  if (!files[fd].is_watched) return;
  files[fd].is_watched = 0;
  if (files[fd].reader != fd) REAL(close)(files[fd].reader);
}

static void record_create(const char *path, ino_t ino) {
  struct header header = {.kind = CREATE, .file = ino, .a = parent_of(path)};
  record(header, name_of(path), strlen(name_of(path)), NULL, 0);
}

static void forget_in_turn(int fd) {
  pthread_mutex_lock(&turn);
  forget(fd);
  pthread_mutex_unlock(&turn);
}

static void watch(int fd, const char *path, int flags) {
  if (fd >= MAX_FILES) give_up("too many open files");
  struct stat found;
  if (fstat(fd, &found) != 0) give_up(path);
  forget(fd);
  struct watched *file = &files[fd];
  file->is_directory = S_ISDIR(found.st_mode);
  file->is_dsync = (flags & O_DSYNC) != 0;
  file->is_append = (flags & O_APPEND) != 0;
  file->is_stored = strstr(path + root_length, "/store/") != NULL;
  file->device = found.st_dev;
  file->ino = found.st_ino;
  file->reader = fd;
  if ((flags & O_ACCMODE) == O_WRONLY) file->reader = REAL(open)(path, O_RDONLY | O_CLOEXEC);
  snprintf(file->name, sizeof file->name, "%.63s", name_of(path));
  file->is_watched = 1;
}

static int open_watched(const char *path, int flags, mode_t mode) {
  pthread_mutex_lock(&turn);
  struct stat before;
  int existed = stat(path, &before) == 0;
  if (existed && (flags & O_TRUNC) && !(flags & O_EXCL) && before.st_size > 0) {
    int reader = REAL(open)(path, O_RDONLY | O_CLOEXEC);
    record_undo(reader, before.st_ino, 0, before.st_size, before.st_size, 0);
    REAL(close)(reader);
  }
  int fd = REAL(open)(path, flags, mode);
  if (fd >= 0) {
    watch(fd, path, flags);
    if (!existed && !is_root(path)) record_create(path, files[fd].ino);
    if (!existed || (flags & O_TRUNC)) renew_sectors(files[fd].ino, 0, END);
  }
  pthread_mutex_unlock(&turn);
  return fd;
}

// The third argument is there when the flags say so.
#define MODE_AFTER(flags, mode) \
  va_list rest; \
  va_start(rest, flags); \
  mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0; \
  va_end(rest)

int open(const char *path, int flags, ...) {
  MODE_AFTER(flags, mode);
  return is_below(path) || is_root(path) ? open_watched(path, flags, mode) : REAL(open)(path, flags, mode);
}

int openat(int directory, const char *path, int flags, ...) {
  MODE_AFTER(flags, mode);
  if (is_below(path) || is_root(path)) return open_watched(path, flags, mode);
  return REAL(openat)(directory, path, flags, mode);
}

int creat(const char *path, mode_t mode) { return open(path, O_WRONLY | O_CREAT | O_TRUNC, mode); }

int close(int fd) {
  if (fd >= 0 && fd < MAX_FILES && files[fd].is_watched) forget_in_turn(fd);
  return REAL(close)(fd);
}

// libuv closes by a bare system call, so the descriptor may be another's by now.
static struct watched *watched_any(int fd) {
  if (fd < 0 || fd >= MAX_FILES || !files[fd].is_watched) return NULL;
  struct stat now;
  if (fstat(fd, &now) == 0 && now.st_ino == files[fd].ino && now.st_dev == files[fd].device) return &files[fd];
  forget_in_turn(fd);
  return NULL;
}

struct watched *watched_file(int fd) { return watched_any(fd) && !files[fd].is_directory ? &files[fd] : NULL; }

// `at` below 0: at the file's own position.
static ssize_t write_watched(struct watched *file, int fd, const struct iovec *parts, int count, off_t at) {
  pthread_mutex_lock(&turn);
  struct stat now;
  if (fstat(fd, &now) != 0) give_up("fstat");
  size_t length = 0;
  for (int i = 0; i < count; i += 1) length += parts[i].iov_len;
  off_t from = file->is_append ? now.st_size : at >= 0 ? at : lseek(fd, 0, SEEK_CUR);
  int grows = from + (off_t)length > now.st_size;
  int error = strikes(WRITE_EIO, file->name) ? EIO : grows && strikes(WRITE_ENOSPC, file->name) ? ENOSPC : 0;
  ssize_t done = -1;
  if (error == 0) {
    // lmdb takes a short write for a failure, so only files that Synod writes itself have them.
    int is_short = !file->is_stored && count == 1 && length > 1 && strikes(SHORT_WRITE, file->name);
    struct iovec part = {parts[0].iov_base, is_short ? length / 2 : parts[0].iov_len};
    if (is_short) length = part.iov_len;
    off_t end = from + (off_t)length;
    record_undo(file->reader, file->ino, from, length, now.st_size, end > now.st_size ? end : now.st_size);
    if (is_short) parts = &part;
    done = at >= 0 ? REAL(pwritev)(fd, parts, count, at) : REAL(writev)(fd, parts, count);
    error = errno;
    if (done > 0) renew_sectors(file->ino, from, from + done < now.st_size ? from + done : END);
    if (file->is_dsync && done > 0) {
      struct header header = {.kind = SYNC_RANGE, .file = file->ino, .a = from, .b = done, .c = journal_end()};
      record(header, NULL, 0, NULL, 0);
    }
  }
  pthread_mutex_unlock(&turn);
  errno = error;
  return done;
}

ssize_t write(int fd, const void *bytes, size_t length) {
  struct watched *file = watched_file(fd);
  struct iovec part = {(void *)bytes, length};
  return file == NULL ? REAL(write)(fd, bytes, length) : write_watched(file, fd, &part, 1, -1);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) {
  struct watched *file = watched_file(fd);
  struct iovec part = {(void *)bytes, length};
  return file == NULL ? REAL(pwrite)(fd, bytes, length, at) : write_watched(file, fd, &part, 1, at);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  struct watched *file = watched_file(fd);
  return file == NULL ? REAL(writev)(fd, parts, count) : write_watched(file, fd, parts, count, -1);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
  struct watched *file = watched_file(fd);
  return file == NULL ? REAL(pwritev)(fd, parts, count, at) : write_watched(file, fd, parts, count, at);
}

int ftruncate(int fd, off_t length) {
  struct watched *file = watched_file(fd);
  if (file == NULL) return REAL(ftruncate)(fd, length);
  pthread_mutex_lock(&turn);
  struct stat now;
  if (fstat(fd, &now) != 0) give_up("fstat");
  off_t from = length < now.st_size ? length : now.st_size;
  off_t span = length < now.st_size ? now.st_size - length : length - now.st_size;
  record_undo(file->reader, file->ino, from, span, now.st_size, length);
  int result = REAL(ftruncate)(fd, length);
  if (result == 0) renew_sectors(file->ino, length, END);
  pthread_mutex_unlock(&turn);
  return result;
}

static int sync_watched(int fd, int (*real)(int)) {
  pthread_mutex_lock(&turn);
  struct watched file = files[fd];
  struct header header = {.kind = SYNC, .file = file.ino, .a = journal_end()};
  int fails = !file.is_directory && strikes(SYNC_EIO, file.name);
  int is_slow = !fails && !file.is_directory && strikes(SLOW_SYNC, file.name);
  pthread_mutex_unlock(&turn);
  if (is_slow) usleep(SLOW_SYNC_US);
  int result = fails ? -1 : real(fd);
  int error = fails ? EIO : errno;
  pthread_mutex_lock(&turn);
  // After a failed sync the kernel calls its pages clean: no later sync makes them durable.
  if (result != 0) header.kind = SYNC_FAILED;
  record(header, NULL, 0, NULL, 0);
  pthread_mutex_unlock(&turn);
  errno = error;
  return result;
}

#define WATCHING(sync) \
  int sync(int fd) { return watched_any(fd) != NULL ? sync_watched(fd, REAL(sync)) : REAL(sync)(fd); }
WATCHING(fsync)
WATCHING(fdatasync)

// Whatever was written through a mapping is in no journal.
void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t at) {
  struct watched *file = watched_file(fd);
  if (file != NULL && (protection & PROT_WRITE) && (flags & MAP_SHARED)) {
    pthread_mutex_lock(&turn);
    record((struct header){.kind = MAPPED, .file = file->ino}, file->name, strlen(file->name), NULL, 0);
    pthread_mutex_unlock(&turn);
  }
  return REAL(mmap)(address, length, protection, flags, fd, at);
}

// A second name of what is removed, so that a power loss can bring it back.
static void keep(const char *path, ino_t ino) {
  char kept[PATH_MAX + 32];
  snprintf(kept, sizeof kept, "%s/%lu", removed, (unsigned long)ino);
  if (link(path, kept) != 0 && errno != EEXIST) give_up(kept);
}

int unlink(const char *path) {
  struct stat found;
  if (!is_below(path) || lstat(path, &found) != 0) return REAL(unlink)(path);
  pthread_mutex_lock(&turn);
  keep(path, found.st_ino);
  int result = REAL(unlink)(path);
  struct header header = {.kind = REMOVE, .file = found.st_ino, .a = parent_of(path)};
  if (result == 0) record(header, name_of(path), strlen(name_of(path)), NULL, 0);
  pthread_mutex_unlock(&turn);
  return result;
}

int rename(const char *from, const char *to) {
  struct stat moved, replaced;
  if (!is_below(from) || lstat(from, &moved) != 0) return REAL(rename)(from, to);
  pthread_mutex_lock(&turn);
  int replaces = lstat(to, &replaced) == 0;
  if (replaces) keep(to, replaced.st_ino);
  int result = REAL(rename)(from, to);
  if (result == 0) {
    char names[2 * NAME_MAX + 2];
    int length = snprintf(names, sizeof names, "%s/%s", name_of(from), name_of(to));
    struct header header = {.kind = RENAME, .file = moved.st_ino, .a = parent_of(from), .b = parent_of(to)};
    header.c = replaces ? replaced.st_ino : 0;
    record(header, names, length, NULL, 0);
  }
  pthread_mutex_unlock(&turn);
  return result;
}

int mkdir(const char *path, mode_t mode) {
  if (!is_below(path)) return REAL(mkdir)(path, mode);
  pthread_mutex_lock(&turn);
  int result = REAL(mkdir)(path, mode);
  struct stat made;
  if (result == 0 && stat(path, &made) == 0) record_create(path, made.st_ino);
  pthread_mutex_unlock(&turn);
  return result;
}

// On 64-bit Linux both names mean the same.
int open64(const char *, int, ...) __attribute__((alias("open")));
int openat64(int, const char *, int, ...) __attribute__((alias("openat")));
int creat64(const char *, mode_t) __attribute__((alias("creat")));
ssize_t pwrite64(int, const void *, size_t, off_t) __attribute__((alias("pwrite")));
ssize_t pwritev64(int, const struct iovec *, int, off_t) __attribute__((alias("pwritev")));
int ftruncate64(int, off_t) __attribute__((alias("ftruncate")));
void *mmap64(void *, size_t, int, int, int, off_t) __attribute__((alias("mmap")));
