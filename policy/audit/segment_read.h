/* Reading segments that somebody may be writing: only whole lines are given out, and of decisions what they say (basis.h). */
#ifndef GH_SEGMENT_READ_H
#define GH_SEGMENT_READ_H

#include "policy/audit/basis.h"
#include "policy/audit/segment.h"

/* GH_OK goes on; another value ends it and is returned. */
typedef int (*gh_segment_each_fn)(void *context, const char *name, const gh_segment_name_t *parts);

/* Every segment of a directory (".../open"), in no order. *there (may be NULL): it exists. GH_ERROR and errno when it cannot be read. */
int gh_segment_each(const char *directory, gh_segment_each_fn each, void *context, bool *there);

typedef struct {
    int      fd;                      /* borrowed */
    uint64_t at;                      /* of the file: what comes next from it */
    uint64_t line;                    /* offset of the line given last */
    char    *buffer;                  /* malloc'ed */
    size_t   begin, end;
    bool     oversize;                /* the line given last is a piece of one that is too long */
    bool     unknown;                 /* it refers to what does not stand before it, or is a basis that cannot be taken */
    gh_str_t raw;                     /* it, as it stands in the file */
    uint64_t from;                    /* private: where reading began; what stands before it is looked for when it is missed */
    gh_basis_texts_t bases;           /* private */
    char    *whole;                   /* private: malloc'ed */
} gh_segment_reader_t;

/* From that offset on, where a line begins. false: out of memory. */
bool gh_segment_reader_open(gh_segment_reader_t *reader, int fd, uint64_t offset);
void gh_segment_reader_close(gh_segment_reader_t *reader);

/* 1: *text is what the next line says, without its newline, until the next call. 0: there is no whole one now. GH_ERROR and errno. */
int gh_segment_reader_next(gh_segment_reader_t *reader, gh_str_t *text);

/* Bytes behind the last whole line, after gh_segment_reader_next said 0. */
size_t gh_segment_reader_torn(const gh_segment_reader_t *reader);

/*
 * The last whole line of a file of that size, malloc'ed (NULL when it has none), and how many bytes stand behind its newline. GH_ERROR and
 * errno.
 */
int gh_segment_last(int fd, uint64_t size, char **text, size_t *len, uint64_t *torn);

#endif
