/* A directory for the record, faults in the calls that write it, and a reader of its own for what was written. */
#ifndef GH_TEST_RECORD_WORLD_H
#define GH_TEST_RECORD_WORLD_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "policy/audit/record_writer.h"
#include "policy/base/hash.h"
#include "tests/unit/check.h"

#define DIRECTORIES 2
#define IDS         4000

static char directories[DIRECTORIES][256];

/* ---- faults: they stand in for the C library's functions in this program ---- */

static struct {
    int write_at;                     /* the write of that number fails, counted from now; 0: none */
    int write_error;                  /* with this errno; 0: the process ends there */
    int write_bytes;                  /* after so many bytes went through */
    int fallocate_error, open_error;  /* every one fails with it */
    char under[256];                  /* only below this directory; "": everywhere */
    unsigned writes;
} fault;

static bool
fault_here(int fd)
{
    char    link[64], path[512];
    ssize_t len;

    if (fault.under[0] == '\0') {
        return true;
    }
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    len = readlink(link, path, sizeof(path) - 1);
    path[len > 0 ? len : 0] = '\0';

    return strncmp(path, fault.under, strlen(fault.under)) == 0;
}

ssize_t
write(int fd, const void *data, size_t len)
{
    if (fd > 2 && fault_here(fd)) {
        fault.writes++;
        if (fault.write_at != 0 && --fault.write_at == 0) {
            if (fault.write_bytes > 0) {
                (void) !syscall(SYS_write, fd, data, (size_t) fault.write_bytes < len ? (size_t) fault.write_bytes : len);
            }
            if (fault.write_error == 0) {
                _exit(9);
            }
            if (fault.write_bytes > 0) {
                fault.write_at = 1;           /* the rest meets the error */
                len = (size_t) fault.write_bytes < len ? (size_t) fault.write_bytes : len;
                fault.write_bytes = 0;
                return (ssize_t) len;
            }
            errno = fault.write_error;
            return -1;
        }
    }
    return syscall(SYS_write, fd, data, len);
}

int
fallocate(int fd, int mode, off_t offset, off_t len)
{
    if (fault.fallocate_error != 0 && fault_here(fd)) {
        errno = fault.fallocate_error;
        return -1;
    }
    return (int) syscall(SYS_fallocate, fd, mode, offset, len);
}

/* ---- the directories ---- */

static void
world_open(void)
{
    const char *base = getenv("TMPDIR") != NULL ? getenv("TMPDIR") : access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    char        path[600];

    for (unsigned d = 0; d < DIRECTORIES; d++) {
        snprintf(directories[d], sizeof(directories[d]), "%.200s/gatehouse-record-XXXXXX", base);
        if (mkdtemp(directories[d]) == NULL) {
            perror(directories[d]);
            exit(1);
        }
        snprintf(path, sizeof(path), "%s/open", directories[d]);
        mkdir(path, 0700);
    }
}

static void
world_clear(void)
{
    for (unsigned d = 0; d < DIRECTORIES; d++) {
        char           path[600], file[900];
        DIR           *dir;
        struct dirent *entry;

        snprintf(path, sizeof(path), "%s/open", directories[d]);
        dir = opendir(path);
        while (dir != NULL && (entry = readdir(dir)) != NULL) {
            if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
                snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
                unlink(file);
            }
        }
        closedir(dir);
    }
    memset(&fault, 0, sizeof(fault));
}

static void
world_close(void)
{
    char path[600];

    world_clear();
    for (unsigned d = 0; d < DIRECTORIES; d++) {
        snprintf(path, sizeof(path), "%s/open", directories[d]);
        rmdir(path);
        rmdir(directories[d]);
    }
}

static char *
world_read(unsigned d, unsigned sequence, size_t *len)
{
    static char bytes[1 << 20];
    char        path[600];
    ssize_t     n;
    int         fd;

    snprintf(path, sizeof(path), "%s/open/fra-1-1700000000000-77-%u.jsonl", directories[d], sequence);
    fd = open(path, O_RDONLY);
    n = fd == -1 ? -1 : read(fd, bytes, sizeof(bytes) - 1);
    if (fd != -1) {
        close(fd);
    }
    *len = n > 0 ? (size_t) n : 0;
    bytes[*len] = '\0';

    return n < 0 ? NULL : bytes;
}

/* ---- what was written: files by sequence, whichever directory ---- */

typedef struct {
    unsigned files, voids, lines, seals, final_seals, torn_named, errors_named;
    uint64_t torn_bytes;
    unsigned decided[IDS], paid[IDS], lost[IDS];   /* by the number in the id */
    unsigned decisions, outcomes, losts, broken;   /* broken: lines that do not continue the one before */
} account_t;

static void
account_line(account_t *account, const char *line, size_t len)
{
    char        text[8192];
    const char *id;
    unsigned    number;

    snprintf(text, sizeof(text), "%.*s", (int) len, line);
    account->lines++;
    id = strstr(text, "\"id\":\"r");
    number = id != NULL ? (unsigned) strtoul(id + 7, NULL, 10) % IDS : 0;

    if (strstr(text, "\"type\":\"decision\"") != NULL) {
        account->decisions++;
        account->decided[number]++;
    } else if (strstr(text, "\"type\":\"outcome\"") != NULL) {
        account->outcomes++;
        account->paid[number]++;
    } else if (strstr(text, "\"type\":\"lost\"") != NULL) {
        account->losts++;
        account->lost[number]++;
    } else if (strstr(text, "\"type\":\"seal\"") != NULL) {
        account->seals++;
        account->final_seals += strstr(text, "next_file") == NULL;
    } else if (strstr(text, "\"type\":\"segment\"") != NULL) {
        const char *torn = strstr(text, "\"torn_bytes\":");

        account->torn_named += torn != NULL;
        account->torn_bytes += torn != NULL ? strtoull(torn + 13, NULL, 10) : 0;
        account->errors_named += strstr(text, "\"previous_error\":") != NULL;
    }
}

/* How much of a file a reader finds; NULL: all of it. */
static size_t (*world_seen)(unsigned d, unsigned sequence, size_t len);

static const char *
world_find(unsigned sequence, size_t *len)
{
    const char *p = NULL;

    for (unsigned d = 0; d < DIRECTORIES && p == NULL; d++) {
        p = world_read(d, sequence, len);
        if (p != NULL && world_seen != NULL) {
            *len = world_seen(d, sequence, *len);
            p = *len != 0 ? p : NULL;
        }
    }

    return p;
}

#define WORLD_FILES 1024

/* Lines of each file that count, -1: there is none. A later one may say that some were taken back. */
static unsigned
world_counts(int64_t counted[WORLD_FILES])
{
    static const char mark[] = "\"void\":{\"file\":\"fra-1-1700000000000-77-", line[] = ".jsonl\",\"line\":";
    unsigned          files = 0;

    for (unsigned d = 0; d < DIRECTORIES; d++) {
        char           path[600];
        DIR           *dir;
        struct dirent *entry;

        snprintf(path, sizeof(path), "%s/open", directories[d]);
        dir = opendir(path);
        while (dir != NULL && (entry = readdir(dir)) != NULL) {
            const char *number = strstr(entry->d_name, "-77-");
            unsigned    sequence = number != NULL && entry->d_name[0] != '.' ? (unsigned) strtoul(number + 4, NULL, 10) : WORLD_FILES;

            files = sequence < WORLD_FILES && sequence >= files ? sequence + 1 : files;
        }
        closedir(dir);
    }
    for (unsigned sequence = 0; sequence < files; sequence++) {
        size_t      len = 0;
        const char *p = world_find(sequence, &len), *newline = p != NULL ? memchr(p, '\n', len) : NULL, *at;

        counted[sequence] = p != NULL ? INT64_MAX : -1;
        at = newline != NULL ? strstr(p, mark) : NULL;
        if (at != NULL && at < newline) {
            char    *end;
            unsigned from = (unsigned) strtoul(at + sizeof(mark) - 1, &end, 10);
            int64_t  left = strncmp(end, line, sizeof(line) - 1) == 0 ? strtoll(end + sizeof(line) - 1, NULL, 10) : 0;

            for (unsigned i = from; i < sequence; i++) {
                counted[i] = counted[i] > left ? left : counted[i];
                left = 0;
            }
        }
    }

    return files;
}

/* Everything of the writer. whole: no file may end in a torn line. */
static void
world_account(account_t *account, bool whole)
{
    char     chain[65], prefix[160];
    uint8_t  digest[32];
    int64_t  counted[WORLD_FILES];
    unsigned files = world_counts(counted);

    memset(account, 0, sizeof(*account));
    memset(chain, '0', 64);
    chain[64] = '\0';

    for (unsigned sequence = 0; sequence < files; sequence++) {
        const char *newline, *p;
        size_t      len;
        unsigned    n = 0;

        p = counted[sequence] != -1 ? world_find(sequence, &len) : NULL;
        if (p == NULL) {
            continue;
        }
        account->files++;
        account->voids += counted[sequence] != INT64_MAX;
        for (const char *end = p + len; p < end && n < counted[sequence]; p = newline + 1, n++) {
            newline = memchr(p, '\n', (size_t) (end - p));
            if (newline == NULL) {
                CHECK(!whole);
                break;
            }
            snprintf(prefix, sizeof(prefix), "{\"prev\":\"%s\",\"n\":%u,\"v\":1,\"type\":\"", chain, n);
            account->broken += strncmp(p, prefix, strlen(prefix)) != 0;
            account_line(account, p, (size_t) (newline - p));
            gh_sha256(p, (size_t) (newline - p), digest);
            gh_hex(digest, 32, chain);
        }
    }
}

/* ---- a writer ---- */

static gh_record_options_t
world_options(uint64_t segment_bytes)
{
    return (gh_record_options_t) {
        .directories = { directories[0], directories[1] }, .node = GH_STR("fra-1"), .version = GH_STR("0.1"),
        .epoch_ms = UINT64_C(1700000000000), .worker = 3, .pid = 77, .segment_bytes = segment_bytes
    };
}

static int
world_append(gh_record_t *record, const char *type, unsigned number, uint64_t after_ms, gh_error_t *error)
{
    char body[512];
    int  len = snprintf(body, sizeof(body), "{\"v\":1,\"type\":\"%s\",\"t\":%llu,\"id\":\"r%u\"%s}", type,
        (unsigned long long) (UINT64_C(1700000000000) + after_ms), number,
        strcmp(type, "decision") == 0 ? ",\"verdict\":\"allow\",\"reserve\":{\"tokens\":7}" : "");

    return gh_record_append(record, (gh_str_t) { body, (size_t) len }, error);
}

#endif
