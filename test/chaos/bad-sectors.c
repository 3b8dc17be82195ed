// The half of the lossy disk that fails reads: a sector in the table is bad, and every read that begins in it fails with
// EIO, over all lives, until it is written anew, cut off, or its place is a new file's. Who maps a file is not seen.
//
//   LOSSY_DISK_BAD  the table; the one who started the process fills it, also while it runs (bad-sectors.ts)
#include "lossy-disk.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

// The numbers are those of bad-sectors.ts.
enum { SECTOR = 512, MOST_BAD = 1024 };

// `file`: its inode number, 0: there is none, or it is good again. `failed`: how many reads.
struct bad {
  uint64_t file, sector, failed;
};

static struct bad *table;

void map_bad_sectors(const char *path) {
  int fd = REAL(open)(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) give_up(path);
  table = REAL(mmap)(NULL, MOST_BAD * sizeof *table, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (table == MAP_FAILED) give_up(path);
  REAL(close)(fd);
}

void renew_sectors(ino_t file, off_t from, off_t to) {
  for (struct bad *bad = table; bad != NULL && bad < table + MOST_BAD; bad += 1) {
    off_t at = bad->sector * SECTOR;
    if (bad->file == file && at >= from && at + SECTOR <= to) bad->file = 0;
  }
}

// As the kernel does it: what is before a bad sector is read, and the read that begins in it fails. How much is read.
static size_t readable(const struct watched *file, off_t from, size_t length) {
  struct bad *first = NULL;
  off_t end = from + (off_t)length;
  for (struct bad *bad = table; bad != NULL && bad < table + MOST_BAD; bad += 1) {
    off_t at = bad->sector * SECTOR;
    if (bad->file != file->ino || at >= end || at + SECTOR <= from) continue;
    first = bad;
    end = at > from ? at : from;
  }
  if (first != NULL && end == from) __atomic_fetch_add(&first->failed, 1, __ATOMIC_RELAXED);
  return end - from;
}

// `at` below 0: from the file's own position. Of several parts the first alone is read when something bad is among them.
static ssize_t read_watched(struct watched *file, int fd, const struct iovec *parts, int count, off_t at) {
  size_t length = 0;
  for (int i = 0; i < count; i += 1) length += parts[i].iov_len;
  size_t good = length == 0 ? 0 : readable(file, at >= 0 ? at : lseek(fd, 0, SEEK_CUR), length);
  struct iovec part = {parts[0].iov_base, good < parts[0].iov_len ? good : parts[0].iov_len};
  if (good < length) {
    parts = &part;
    count = 1;
  }
  if (good == 0 && length > 0) {
    errno = EIO;
    return -1;
  }
  return at >= 0 ? REAL(preadv)(fd, parts, count, at) : REAL(readv)(fd, parts, count);
}

ssize_t read(int fd, void *bytes, size_t length) {
  struct watched *file = watched_file(fd);
  struct iovec part = {bytes, length};
  return file == NULL ? REAL(read)(fd, bytes, length) : read_watched(file, fd, &part, 1, -1);
}

ssize_t pread(int fd, void *bytes, size_t length, off_t at) {
  struct watched *file = watched_file(fd);
  struct iovec part = {bytes, length};
  return file == NULL ? REAL(pread)(fd, bytes, length, at) : read_watched(file, fd, &part, 1, at);
}

ssize_t readv(int fd, const struct iovec *parts, int count) {
  struct watched *file = watched_file(fd);
  return file == NULL ? REAL(readv)(fd, parts, count) : read_watched(file, fd, parts, count, -1);
}

ssize_t preadv(int fd, const struct iovec *parts, int count, off_t at) {
  struct watched *file = watched_file(fd);
  return file == NULL ? REAL(preadv)(fd, parts, count, at) : read_watched(file, fd, parts, count, at);
}

// On 64-bit Linux both names mean the same.
ssize_t pread64(int, void *, size_t, off_t) __attribute__((alias("pread")));
ssize_t preadv64(int, const struct iovec *, int, off_t) __attribute__((alias("preadv")));
