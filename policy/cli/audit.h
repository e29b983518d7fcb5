/* What the `gatehouse audit` commands share: which segments there are, and which of their lines are asked for. */
#ifndef GH_CLI_AUDIT_H
#define GH_CLI_AUDIT_H

#include <jansson.h>

#include "policy/audit/line.h"
#include "policy/audit/owed.h"
#include "policy/audit/segment.h"
#include "policy/cli/cli.h"

typedef struct {
    const char       *path, *name;   /* arena-owned */
    gh_segment_name_t parts;         /* borrows from name */
    uint64_t          modified_ms, size;
    uint64_t          counted;       /* lines of it that were not taken back, see voided.h; UINT64_MAX: all */
} gh_cli_segment_t;

typedef struct {
    gh_cli_segment_t *items;         /* arena-owned: by node, epoch, pid, sequence */
    size_t            count, capacity;
} gh_cli_segments_t;

/*
 * Segments of DIR/open and DIR/sealed, or of DIR itself when it has neither, for each directory: those of the command's arguments, else
 * --audit (repeated), else HOME/audit. GH_EXIT_DONE, or GH_EXIT_ERROR after a message.
 */
int gh_cli_segments_list(gh_cli_t *cli, gh_cli_segments_t *segments);

/* Sets `counted`, from the first lines of all of them. GH_EXIT_DONE, or GH_EXIT_ERROR after a message. */
int gh_cli_segments_count(gh_cli_t *cli, gh_cli_segments_t *segments);

/* Does a process hold the segment? Its writer lives. */
bool gh_cli_segment_live(int fd);

/* ---- filters ---- */

/* audit_session.c: requests of one session, as --session names it. */
typedef struct gh_cli_session_s gh_cli_session_t;

/* *session is NULL without --session; gh_cli_session_close (of NULL too) is the caller's. GH_EXIT_DONE, or another after a message. */
int  gh_cli_session_open(const gh_cli_t *cli, gh_cli_session_t **session);
void gh_cli_session_close(gh_cli_session_t *session);

/* Does the decision's request belong to it, or use its state? */
bool gh_cli_session_fits(gh_cli_session_t *session, gh_str_t line);

typedef struct {
    const char *org, *tenant, *app, *key, *model, *verdict;   /* of a decision; all lines of its request go with it */
    const char *type, *code, *deployment, *id;                /* of a line */
    gh_cli_session_t *session;                                /* of a decision, likewise; NULL: any */
    uint64_t    since_ms, until_ms;
    gh_owed_t   chosen;              /* requests whose decision fits */
} gh_cli_filter_t;

#define GH_CLI_FILTER_OPTIONS                                                                                            \
    { "audit", "DIR", "an audit directory (default: HOME/audit); repeat it for the second one", true },                   \
    { "org", "NAME", "requests of this organisation", false },                                                            \
    { "tenant", "NAME", "of this tenant", false },                                                                        \
    { "app", "NAME", "of this app", false },                                                                              \
    { "key", "NAME", "of this API key, by its name", false },                                                             \
    { "session", "ID", "of this session, by its id in the record or by the name that a client gave it", false },          \
    { "secrets", "DIR", "where store.key is, which names of sessions are hashed with", false },                           \
    { "model", "NAME", "for this model", false },                                                                         \
    { "verdict", "WORD", "allow or deny", false },                                                                        \
    { "type", "WORD", "only lines of this type: decision, attempt, outcome, lost, gap, change, segment, seal, basis", false },        \
    { "code", "CODE", "only lines with this code, such as residency_denied", false },                                     \
    { "deployment", "NAME", "only lines that name this deployment", false },                                              \
    { "id", "ID", "only lines of this request", false },                                                                  \
    { "since", "TIME", "from then on (RFC 3339, or a day)", false },                                                      \
    { "until", "TIME", "before then", false }

/* GH_EXIT_DONE or GH_EXIT_USAGE. */
int  gh_cli_filter_read(const gh_cli_t *cli, gh_cli_filter_t *filter);
void gh_cli_filter_free(gh_cli_filter_t *filter);

/* May the segment have a line that fits, by the times that are known of it? */
bool gh_cli_filter_segment(const gh_cli_filter_t *filter, const gh_cli_segment_t *segment);

/* Does the line fit? Lines of one writer have to be asked in their order. */
bool gh_cli_filter_line(gh_cli_filter_t *filter, gh_str_t text, const gh_line_t *line);

/* One line for people, or the record's own with --json. */
void gh_cli_audit_print(const gh_cli_t *cli, gh_str_t text, const gh_line_t *line);

#endif
