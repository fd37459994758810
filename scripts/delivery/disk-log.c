/*
 * Preloaded into a program, records what it does to the files of one folder: DISK_LOG_FOLDER is the folder, without a
 * slash at its end, DISK_LOG_FILE the file that the records are added to. disk-log.ts reads them. While a file named by
 * DISK_FAIL_WHILE is there, every write and sync in the folder fails with EIO, as a card does that wears out.
 *
 * A record is a header of 24 bytes, little-endian: kind, inode (4 bytes each), offset, length (8 bytes each), and `length`
 * bytes: what was written, or a path (for a renaming the old and the new one with a zero byte between).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { OPENED = 1, CREATED, WRITTEN, TRUNCATED, SYNCED, RENAMED, UNLINKED };

static uint32_t inodes[65536];
static int log_file = -1;
static const char *folder;
static const char *fails_while;
static size_t folder_length;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void begin(void) {
  folder = getenv("DISK_LOG_FOLDER");
  const char *path = getenv("DISK_LOG_FILE");
  fails_while = getenv("DISK_FAIL_WHILE");
  if (folder == NULL || path == NULL) return;
  folder_length = strlen(folder);
  log_file = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int followed(const char *path) {
  if (log_file < 0 || strncmp(path, folder, folder_length) != 0) return 0;
  return path[folder_length] == 0 || path[folder_length] == '/';
}

static uint32_t inode_of(int file) { return file >= 0 && file < 65536 ? inodes[file] : 0; }

static int failed(int file) {
  if (fails_while == NULL || inode_of(file) == 0 || access(fails_while, F_OK) != 0) return 0;
  errno = EIO;
  return 1;
}

static void put(const void *bytes, size_t length) {
  const char *at = bytes;
  while (length > 0) {
    long done = syscall(SYS_write, log_file, at, length);
    if (done <= 0) abort();
    at += done;
    length -= done;
  }
}

static void record(enum kind kind, uint32_t inode, uint64_t offset, const void *bytes, uint64_t length) {
  struct { uint32_t kind, inode; uint64_t offset, length; } header = {kind, inode, offset, length};
  pthread_mutex_lock(&lock);
  put(&header, sizeof header);
  put(bytes, length);
  pthread_mutex_unlock(&lock);
}

#define REAL(name) \
  static __typeof__(name) *real; \
  if (real == NULL) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static int opened(int file, const char *path, int flags, int existed) {
  struct stat status;
  if (file < 0 || file >= 65536 || fstat(file, &status) != 0) return file;
  inodes[file] = status.st_ino;
  record(existed ? OPENED : CREATED, status.st_ino, 0, path, strlen(path));
  if (existed && (flags & O_TRUNC)) record(TRUNCATED, status.st_ino, 0, "", 0);
  return file;
}

#define OPEN(name) \
  int name(const char *path, int flags, ...) { \
    REAL(name); \
    va_list rest; \
    va_start(rest, flags); \
    int mode = va_arg(rest, int); \
    va_end(rest); \
    if (!followed(path)) return real(path, flags, mode); \
    int existed = access(path, F_OK) == 0; \
    return opened(real(path, flags, mode), path, flags, existed); \
  }
OPEN(open)
OPEN(open64)

int close(int file) {
  REAL(close);
  if (file >= 0 && file < 65536) inodes[file] = 0;
  return real(file);
}

ssize_t write(int file, const void *bytes, size_t length) {
  REAL(write);
  uint32_t inode = inode_of(file);
  if (inode == 0) return real(file, bytes, length);
  if (failed(file)) return -1;
  struct stat status;
  fstat(file, &status);
  int appends = (fcntl(file, F_GETFL) & O_APPEND) != 0;
  uint64_t offset = appends ? (uint64_t)status.st_size : (uint64_t)lseek(file, 0, SEEK_CUR);
  ssize_t done = real(file, bytes, length);
  if (done > 0) record(WRITTEN, inode, offset, bytes, done);
  return done;
}

#define PWRITE(name, offset_type) \
  ssize_t name(int file, const void *bytes, size_t length, offset_type offset) { \
    REAL(name); \
    if (failed(file)) return -1; \
    ssize_t done = real(file, bytes, length, offset); \
    if (done > 0 && inode_of(file) != 0) record(WRITTEN, inode_of(file), offset, bytes, done); \
    return done; \
  }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define FTRUNCATE(name, size_type) \
  int name(int file, size_type size) { \
    REAL(name); \
    int result = real(file, size); \
    if (result == 0 && inode_of(file) != 0) record(TRUNCATED, inode_of(file), size, "", 0); \
    return result; \
  }
FTRUNCATE(ftruncate, off_t)
FTRUNCATE(ftruncate64, off64_t)

#define SYNC(name) \
  int name(int file) { \
    REAL(name); \
    if (failed(file)) return -1; \
    int result = real(file); \
    if (result == 0 && inode_of(file) != 0) record(SYNCED, inode_of(file), 0, "", 0); \
    return result; \
  }
SYNC(fsync)
SYNC(fdatasync)

int rename(const char *from, const char *to) {
  REAL(rename);
  int result = real(from, to);
  if (result != 0 || !followed(from) || strlen(from) + strlen(to) > 8000) return result;
  char both[8192];
  size_t first = strlen(from) + 1;
  memcpy(both, from, first);
  memcpy(both + first, to, strlen(to));
  record(RENAMED, 0, 0, both, first + strlen(to));
  return result;
}

int unlink(const char *path) {
  REAL(unlink);
  int result = real(path);
  if (result == 0 && followed(path)) record(UNLINKED, 0, 0, path, strlen(path));
  return result;
}
