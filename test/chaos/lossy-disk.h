// What the two halves of the lossy disk share: which descriptors are watched, and the calls behind those that both define.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <sys/types.h>

enum { MAX_NAME = 64 };

struct watched {
  char is_watched, is_directory, is_dsync, is_append, is_stored;
  int reader;
  dev_t device;
  ino_t ino;
  char name[MAX_NAME];
};

#define REAL(name) ((__typeof__(&name))real_of(#name))

void *real_of(const char *name);
void give_up(const char *what);
struct watched *watched_file(int fd);

// All of `file` from `from` to `to` has come into its place anew, or is no more: what was bad of it is good.
void renew_sectors(ino_t file, off_t from, off_t to);
void map_bad_sectors(const char *path);
