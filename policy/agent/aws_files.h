/*
 * The shared files of AWS's tools (docs.aws.amazon.com, "Using shared config and credentials files"): profiles as they are when the credentials file is
 * put over the config file.
 */
#ifndef GH_AGENT_AWS_FILES_H
#define GH_AGENT_AWS_FILES_H

#include "policy/base/arena.h"
#include "policy/base/error.h"
#include "policy/base/str.h"

#define GH_AWS_PROFILES_MAX 1024u
#define GH_AWS_SETTINGS_MAX 16384u        /* of all profiles together */

typedef struct {
    gh_str_t profile, name, value;
} gh_aws_setting_t;

typedef struct {
    gh_aws_setting_t *items;
    size_t            count;
} gh_aws_settings_t;

/*
 * Adds what a file says; strings borrow from text. credentials: sections are names of profiles; else "[profile NAME]" and "[default]", and others are not
 * looked at. GH_ERROR "source_config" with the line.
 */
int gh_aws_file_read(gh_arena_t *arena, gh_str_t text, const char *path, bool credentials, gh_aws_settings_t *settings, gh_error_t *error);

/* What was added last wins. "" when it is not said. */
gh_str_t gh_aws_setting(const gh_aws_settings_t *settings, gh_str_t profile, const char *name);

bool gh_aws_profile_there(const gh_aws_settings_t *settings, gh_str_t profile);

#endif
