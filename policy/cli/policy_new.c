/* `gatehouse policy new`: a policy to begin with, from a template, with its cases and sample documents. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/cli/policy.h"
#include "policy/cli/templates.h"

#define PLACEHOLDER "ORGANISATION"

typedef struct {
    gh_cli_t            *cli;
    const gh_template_t *template;
    const char          *organisation;
    const char          *out;
    gh_str_t             paths[GH_TEMPLATE_FILES];
    bool                 made_out, made_policy;
} making_t;

/* ---- what was asked ---- */

static int
list_templates(const gh_cli_t *cli, const char *format, const char *given, gh_str_t near)
{
    int status = gh_cli_misuse(cli, format, given, near.len ? "; did you mean " : "", GH_STR_ARG(near), near.len ? "?" : "");

    for (size_t i = 0; i < gh_template_count; i++) {
        gh_cli_say("  --template %-17s %s", gh_templates[i].name, gh_templates[i].summary);
    }

    return status;
}

static int
find_template(making_t *m)
{
    const char *name = gh_cli_value(m->cli, "template");
    gh_str_t    names[64];

    if (name == NULL) {
        return list_templates(m->cli, "--template is missing%s%s%.*s%s", "", GH_STR(""));
    }
    for (size_t i = 0; i < gh_template_count; i++) {
        if (strcmp(name, gh_templates[i].name) == 0) {
            m->template = &gh_templates[i];
            return GH_EXIT_DONE;
        }
        names[i] = gh_str_from(gh_templates[i].name);
    }

    return list_templates(m->cli, "there is no template %s%s%.*s%s", name, gh_str_nearest(gh_str_from(name), names, gh_template_count));
}

static int
read_options(making_t *m)
{
    int status = find_template(m);

    if (status != GH_EXIT_DONE) {
        return status;
    }
    m->organisation = gh_cli_value(m->cli, "organisation");
    m->organisation = m->organisation ? m->organisation : "acme";
    if (!gh_cli_name_ok(gh_str_from(m->organisation))) {
        return gh_cli_misuse(m->cli, "--organisation %s is not a name: a-z, 0-9 and \"-\", at most 63, not beginning with \"-\"", m->organisation);
    }
    m->out = gh_cli_value(m->cli, "out");
    m->out = m->out ? m->out : m->organisation;

    return GH_EXIT_DONE;
}

/* ---- writing ---- */

/* The file with the organisation's name in it. data NULL: out of memory. */
static gh_str_t
fill_in(const making_t *m, const gh_template_file_t *file)
{
    size_t      name = strlen(m->organisation), mark = strlen(PLACEHOLDER), len = 0, size = (size_t) (file->end - file->begin);
    const char *at = file->begin;
    char       *text;

    for (const char *p = file->begin; p < file->end; p++) {
        size += (size_t) (file->end - p) >= mark && memcmp(p, PLACEHOLDER, mark) == 0 ? name : 0;
    }
    text = gh_arena_alloc(m->cli->arena, size + 1);
    while (text != NULL && at < file->end) {
        if ((size_t) (file->end - at) >= mark && memcmp(at, PLACEHOLDER, mark) == 0) {
            memcpy(text + len, m->organisation, name);
            len += name;
            at += mark;
        } else {
            text[len++] = *at++;
        }
    }

    return (gh_str_t) { text, len };
}

/* Every path; an error when one of them is there already. */
static int
find_paths(making_t *m)
{
    struct stat info;

    for (size_t i = 0; i < GH_TEMPLATE_FILES; i++) {
        m->paths[i] = gh_str_format(m->cli->arena, "%s/%s", m->out, gh_template_paths[i]);
        if (m->paths[i].data == NULL) {
            return gh_cli_fail(m->cli, "out of memory");
        }
        if (lstat(m->paths[i].data, &info) == 0) {
            gh_cli_fail(m->cli, "%s exists; nothing was written", m->paths[i].data);
            gh_cli_advise("name another directory with --out");
            return GH_EXIT_ERROR;
        }
    }

    return GH_EXIT_DONE;
}

static int
make_directory(const making_t *m, const char *path, bool *made)
{
    struct stat info;

    if (mkdir(path, 0777) == 0) {
        *made = true;
        return GH_EXIT_DONE;
    }
    if (errno == EEXIST && stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
        return GH_EXIT_DONE;
    }

    return gh_cli_fail(m->cli, "cannot make the directory %s: %s", path, errno == EEXIST ? "a file of that name exists" : strerror(errno));
}

static int
write_file(const making_t *m, const char *path, gh_str_t text)
{
    int  fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    bool good = fd != -1;
    int  saved = errno;

    while (good && text.len > 0) {
        ssize_t n = write(fd, text.data, text.len);

        good = n > 0;
        saved = errno;
        text.data += good ? n : 0;
        text.len -= good ? (size_t) n : 0;
    }
    if (fd != -1 && close(fd) != 0 && good) {
        good = false;
        saved = errno;
    }
    if (fd != -1 && !good) {
        unlink(path);
    }

    return good ? GH_EXIT_DONE : gh_cli_fail(m->cli, "cannot write %s: %s", path, strerror(saved));
}

/* All files, or none of them. */
static int
write_all(making_t *m)
{
    gh_str_t below = gh_str_format(m->cli->arena, "%s/policy", m->out), text;
    int      status = below.data != NULL ? make_directory(m, m->out, &m->made_out) : gh_cli_fail(m->cli, "out of memory");
    size_t   written = 0;

    if (status == GH_EXIT_DONE) {
        status = make_directory(m, below.data, &m->made_policy);
    }
    while (status == GH_EXIT_DONE && written < GH_TEMPLATE_FILES) {
        text = fill_in(m, &m->template->files[written]);
        status = text.data != NULL ? write_file(m, m->paths[written].data, text) : gh_cli_fail(m->cli, "out of memory");
        written += status == GH_EXIT_DONE;
    }
    if (status == GH_EXIT_DONE) {
        return status;
    }
    while (written > 0) {
        unlink(m->paths[--written].data);
    }
    if (m->made_policy) {
        rmdir(below.data);
    }
    if (m->made_out) {
        rmdir(m->out);
    }

    return status;
}

static int
report(const making_t *m)
{
    json_t *list = json_array();

    if (gh_cli_flag(m->cli, "json")) {
        for (size_t i = 0; i < GH_TEMPLATE_FILES; i++) {
            json_array_append_new(list, json_string(m->paths[i].data));
        }
        return gh_cli_print_json(m->cli, json_pack("{s:s, s:s, s:o}", "template", m->template->name, "organisation", m->organisation, "written", list));
    }
    json_decref(list);
    for (size_t i = 0; i < GH_TEMPLATE_FILES; i++) {
        printf("%s\n", m->paths[i].data);
    }
    printf("\nRead %s/README.md first. Then, after every change:\n", m->out);
    printf("  gatehouse policy test %s/cases.json --policy %s/policy\n", m->out, m->out);
    printf("  gatehouse policy show %s/policy --words\n", m->out);

    return gh_cli_flush(m->cli);
}

static int
run(gh_cli_t *cli)
{
    making_t m = { .cli = cli };
    int      status = read_options(&m);

    if (status == GH_EXIT_DONE) {
        status = find_paths(&m);
    }
    if (status == GH_EXIT_DONE) {
        status = write_all(&m);
    }

    return status != GH_EXIT_DONE ? status : report(&m);
}

static const gh_cli_option_t options[] = {
    { "template", "NAME", "eu-only, us-hipaa, global-saas or public-sector-de", false },
    { "organisation", "ORG", "its name in tenants/1 (default: acme)", false },
    { "out", "DIR", "where to write (default: a directory named after the\norganisation)", false },
    { "json", NULL, "prints an object: template, organisation, written", false },
    { 0 }
};

const gh_cli_command_t gh_cli_policy_new = {
    .name = "policy new",
    .usage = "--template NAME [options]",
    .summary = "writes a policy to begin with, and its cases",
    .help =
        "Writes policy/residency.json with sample policy/fleet.json and policy/tenants.json, cases.json and README.md.\n"
        "What it writes is valid and passes its own cases. It never overwrites a file: it writes all of them or none.",
    .options = options,
    .least = 0,
    .most = 0,
    .run = run,
};
