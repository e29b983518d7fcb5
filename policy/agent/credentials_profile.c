/*
 * A profile of AWS's shared files: keys in it, or a role, of the credentials of another profile (source_profile), of the environment, instance or container
 * (credential_source), or of a web identity. docs.aws.amazon.com, "Assume role credential provider". Settings that need a person or a program are refused.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy/agent/aws_files.h"
#include "policy/agent/credentials.h"

/* The file of that name below the home, unless it is named. NULL: there is none, which is no error unless it was named. */
static int
read_file(const gh_credential_source_t *source, gh_credential_run_t *run, bool credentials, gh_aws_settings_t *settings, bool *there, gh_error_t *error)
{
    gh_str_t    named = credentials ? source->credentials_file : source->config_file, text;
    const char *home = getenv("HOME"), *path = named.data, *what = credentials ? "the credentials file" : "the config file";

    if (named.len == 0) {
        path = home == NULL ? NULL : gh_str_format(run->arena, "%s/.aws/%s", home, credentials ? "credentials" : "config").data;
        if (path == NULL || access(path, F_OK) != 0) {
            return GH_OK;
        }
    }
    *there = true;
    if (gh_secret_file(run->arena, path, what, true, &text, error) != GH_OK) {
        return GH_ERROR;
    }
    return gh_aws_file_read(run->arena, text, path, credentials, settings, error);
}

typedef struct {
    const gh_credential_source_t *source;
    gh_credential_run_t          *run;
    gh_aws_settings_t             settings;
    gh_str_t                      profile;
} reading_t;

/* NUL-terminated, as all strings of a source are. */
static gh_str_t
setting(const reading_t *r, const char *name)
{
    return gh_str_copy(r->run->arena, gh_aws_setting(&r->settings, r->profile, name));
}

static int
refuse_others(const reading_t *r, gh_error_t *error)
{
    static const struct { const char *name, *why; } refused[] = {
        { "mfa_serial", "needs a person" }, { "sso_session", "needs a person" }, { "sso_start_url", "needs a person" }, { "login_session", "needs a person" },
        { "credential_process", "is a program that would have to be run: run it by a timer, and rename what it prints into the credentials directory" }
    };

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (gh_aws_setting(&r->settings, r->profile, refused[i].name).len != 0) {
            return gh_error_set(error, "source_config", "\"%s\" of profile \"%.*s\" %s", refused[i].name, GH_STR_ARG(r->profile), refused[i].why);
        }
    }
    return GH_OK;
}

static bool
has_keys(const reading_t *r)
{
    return gh_aws_setting(&r->settings, r->profile, "aws_access_key_id").len != 0;
}

static int
keys_of(const reading_t *r, gh_credential_t *out, gh_error_t *error)
{
    *out = (gh_credential_t) { .form = GH_CREDENTIAL_AWS };
    out->aws.access_key_id = setting(r, "aws_access_key_id");
    out->aws.secret_access_key = setting(r, "aws_secret_access_key");
    out->aws.session_token = setting(r, "aws_session_token");
    if (out->aws.access_key_id.data == NULL || out->aws.secret_access_key.data == NULL || out->aws.session_token.data == NULL) {
        return gh_error_set(error, "no_memory", "out of memory");
    }
    return out->aws.secret_access_key.len != 0 ? GH_OK
        : gh_error_set(error, "source_secret", "profile \"%.*s\" has no aws_secret_access_key", GH_STR_ARG(r->profile));
}

/* credential_source */
static int
origin_of(gh_str_t word, gh_credential_source_t *from, gh_error_t *error)
{
    static const struct { const char *word, *kind; } known[] = {
        { "Environment", "aws_environment" }, { "Ec2InstanceMetadata", "aws_instance_metadata" }, { "EcsContainer", "aws_container" }
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (gh_str_is(word, known[i].word)) {
            from->kind = gh_credential_kind(gh_str_from(known[i].kind));
            gh_credential_environment(from);
            return GH_OK;
        }
    }
    return gh_error_set(error, "source_config", "credential_source \"%.*s\" is none of Environment, Ec2InstanceMetadata and EcsContainer", GH_STR_ARG(word));
}

static int from_other_profile(const gh_credential_source_t *source, gh_credential_run_t *run, gh_credential_t *out, gh_error_t *error);

static const gh_credential_kind_t other_profile = { .word = "aws_profile", .run = from_other_profile };

/* The role that the profile says, as a source of its own. */
static int
role_of(const reading_t *r, gh_credential_t *out, gh_error_t *error)
{
    gh_credential_source_t role = *r->source, from = *r->source;
    gh_str_t               other = setting(r, "source_profile"), origin = setting(r, "credential_source"), region = setting(r, "region"),
                           seconds = setting(r, "duration_seconds");

    role.role_arn = setting(r, "role_arn");
    role.session_name = setting(r, "role_session_name");
    role.external_id = setting(r, "external_id");
    role.token_file = setting(r, "web_identity_token_file");
    role.region = region.len != 0 ? region : r->source->region;
    role.duration_seconds = seconds.data != NULL ? strtoull(seconds.data, NULL, 10) : 0;
    if (role.region.len == 0) {
        return gh_error_set(error, "source_config", "no region is said for the role of profile \"%.*s\"", GH_STR_ARG(r->profile));
    }
    if (role.token_file.len != 0) {
        return gh_credential_from_web_identity(&role, r->run, out, error);
    }
    if ((other.len != 0) == (origin.len != 0)) {
        return gh_error_set(error, "source_config", "profile \"%.*s\" has a role and %s source_profile and credential_source", GH_STR_ARG(r->profile),
            other.len != 0 ? "both of" : "none of");
    }
    role.from = &from;
    from.endpoint = other.len != 0 ? role.endpoint : GH_STR("");
    from.kind = &other_profile;
    from.profile = other;
    if (origin.len != 0 && origin_of(origin, &from, error) != GH_OK) {
        return GH_ERROR;
    }
    return gh_credential_from_assumed_role(&role, r->run, out, error);
}

/* keys_first: a profile that another one names as its source. */
static int
from_profile(const gh_credential_source_t *source, gh_credential_run_t *run, bool keys_first, gh_credential_t *out, gh_error_t *error)
{
    reading_t r = { .source = source, .run = run, .profile = source->profile.len != 0 ? source->profile : GH_STR("default") };
    bool      there = false;

    if (read_file(source, run, false, &r.settings, &there, error) != GH_OK || read_file(source, run, true, &r.settings, &there, error) != GH_OK) {
        return GH_ERROR;
    }
    if (!there || !gh_aws_profile_there(&r.settings, r.profile)) {
        return gh_error_set(error, "source_config", there ? "the files of AWS have no profile \"%.*s\"" : "there is no file of AWS with a profile \"%.*s\"",
            GH_STR_ARG(r.profile));
    }
    if (refuse_others(&r, error) != GH_OK) {
        return GH_ERROR;
    }
    if (gh_aws_setting(&r.settings, r.profile, "role_arn").len != 0 && !(keys_first && has_keys(&r))) {
        return role_of(&r, out, error);
    }
    return has_keys(&r) ? keys_of(&r, out, error)
        : gh_error_set(error, "source_config", "profile \"%.*s\" has neither keys nor a role", GH_STR_ARG(r.profile));
}

static int
from_other_profile(const gh_credential_source_t *source, gh_credential_run_t *run, gh_credential_t *out, gh_error_t *error)
{
    return from_profile(source, run, true, out, error);
}

int
gh_credential_from_aws_profile(const gh_credential_source_t *source, gh_credential_run_t *run, gh_credential_t *out, gh_error_t *error)
{
    return from_profile(source, run, false, out, error);
}
