/*
 * The store's changes (who applied what, which key was made or revoked) as lines of the record. They have a chain of their own in files
 * <node>-0-0-<sequence>.jsonl, which one process of the node writes at a time: who has the lock on the newest. What is copied is what stands
 * there, so each change is there exactly once, however often the one who copies dies.
 */
#ifndef GH_CHANGES_H
#define GH_CHANGES_H

#include "policy/audit/record_writer.h"

typedef struct gh_changes_s gh_changes_t;

/* Of options: directories, node, country, version, roll_ms. Strings must live as long. NULL: out of memory. */
gh_changes_t *gh_changes_new(const gh_record_options_t *options);
void          gh_changes_free(gh_changes_t *changes);

/*
 * Becomes the one who writes, for the store of that id (16 bytes). *held: it is, and *last is the number of the newest change in the record
 * (0: none of this store). Not held: another process is. Cheap when it is held already. GH_ERROR "audit_unreadable".
 */
int gh_changes_hold(gh_changes_t *changes, const uint8_t store_id[16], bool *held, uint64_t *last, gh_error_t *error);

/* Appends one, whose number is above *last. entry: text of the store's change entry. GH_ERROR "audit_unavailable": not written. */
int gh_changes_add(gh_changes_t *changes, uint64_t number, gh_str_t entry, uint64_t now_ms, gh_error_t *error);

#endif
