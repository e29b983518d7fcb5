/* Private to the field tables: how a row is written, shared by fields.c and fields_message.c. */
#ifndef GH_FIELDS_ROWS_H
#define GH_FIELDS_ROWS_H

#include "ngx_module/wire/fields.h"

#define NAME(s)                 { (s), sizeof(s) - 1 }
#define ROW(at, n, k, ...)      { .name = NAME(n), .endpoints = (at), .kind = (k), __VA_ARGS__ }
#define INERT(at, n)            ROW(at, n, GH_FIELD_INERT)
#define UNREAD(at, n)           ROW(at, n, GH_FIELD_UNREAD)
#define FREE(at, n)             ROW(at, n, GH_FIELD_FREE)
#define SCHEMA(at, n)           ROW(at, n, GH_FIELD_SCHEMA)
#define OBJECT(at, n, t)        ROW(at, n, GH_FIELD_OBJECT, .table = &(t))
#define WORD(at, n, t)          ROW(at, n, GH_FIELD_WORD_OR_OBJECT, .table = &(t))
#define FEATURE(at, n, f)       ROW(at, n, GH_FIELD_FEATURE, .feature = (f))
#define KEPT(at, n, f)          ROW(at, n, GH_FIELD_FEATURE, .unread = true, .feature = (f))
#define FLAG(at, n, f)          ROW(at, n, GH_FIELD_FLAG, .feature = (f))
#define READ(at, n, k)          ROW(at, n, k)
#define MEDIA(at, n, k, t)      ROW(at, n, k, .table = &(t))
#define CHOICE(at, n, k, f, v)  ROW(at, n, k, .feature = (f), .values = (v))
#define TABLE(name, rows)       const gh_field_table_t name = { (rows), sizeof(rows) / sizeof((rows)[0]) }

#define C   GH_AT_CHAT
#define P   GH_AT_COMPLETIONS
#define E   GH_AT_EMBEDDINGS
#define CP  GH_AT_TEXT
#define CE  (GH_AT_CHAT | GH_AT_EMBEDDINGS)
#define ALL GH_AT_ALL

/* Tools the provider runs: a type of a tool and of a tool choice. */
#define HOSTED_TOOLS \
    FEATURE(ALL, "web_search", "web_search"), \
    FEATURE(ALL, "web_search_preview", "web_search"), \
    FEATURE(ALL, "web_search_2025_08_26", "web_search"), \
    FEATURE(ALL, "web_search_preview_2025_03_11", "web_search"), \
    FEATURE(ALL, "file_search", "file_search"), \
    FEATURE(ALL, "retrieval", "file_search"), \
    FEATURE(ALL, "code_interpreter", "code_interpreter"), \
    FEATURE(ALL, "image_generation", "image_generation"), \
    FEATURE(ALL, "mcp", "mcp"), \
    FEATURE(ALL, "computer", "computer_use"), \
    FEATURE(ALL, "computer_use_preview", "computer_use"), \
    FEATURE(ALL, "shell", "shell"), \
    FEATURE(ALL, "local_shell", "shell"), \
    FEATURE(ALL, "apply_patch", "apply_patch")

#endif
