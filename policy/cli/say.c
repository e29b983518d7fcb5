/* What the command says on stderr, and times as people write them. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "policy/cli/cli.h"

#define SAY_MAX 4096

/* Control bytes would let a file's name or content move the cursor of whoever reads the message. */
static void
put_escaped(const char *text, FILE *out)
{
    for (const unsigned char *p = (const unsigned char *) text; *p != '\0'; p++) {
        if (*p < 0x20 || *p == 0x7f) {
            fprintf(out, "\\x%02x", *p);
        } else {
            fputc(*p, out);
        }
    }
}

static void
say(const gh_cli_t *cli, const char *format, va_list arguments)
{
    char text[SAY_MAX];

    vsnprintf(text, sizeof(text), format, arguments);

    fflush(stdout);
    fputs("gatehouse", stderr);
    if (cli->command != NULL) {
        fprintf(stderr, " %s", cli->command->name);
    }
    fputs(": ", stderr);
    put_escaped(text, stderr);
    fputc('\n', stderr);
}

int
gh_cli_fail(const gh_cli_t *cli, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say(cli, format, arguments);
    va_end(arguments);

    return GH_EXIT_ERROR;
}

int
gh_cli_misuse(const gh_cli_t *cli, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say(cli, format, arguments);
    va_end(arguments);

    if (cli->command != NULL) {
        gh_cli_advise("gatehouse %s --help", cli->command->name);
    } else {
        gh_cli_advise("gatehouse help");
    }

    return GH_EXIT_USAGE;
}

int
gh_cli_fail_error(const gh_cli_t *cli, const gh_error_t *error)
{
    const char *text = error->text[0] ? error->text : error->code ? error->code : "failed without saying why";

    /* a store's message mostly names its file already */
    if (error->source[0] == '\0' || strstr(text, error->source) != NULL) {
        return gh_cli_fail(cli, "%s", text);
    }

    if (error->line == 0) {
        return gh_cli_fail(cli, "%s: %s", error->source, text);
    }

    return gh_cli_fail(cli, "%s:%u:%u: %s", error->source, error->line, error->column, text);
}

void
gh_cli_say(const char *format, ...)
{
    char    text[SAY_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);

    fflush(stdout);
    put_escaped(text, stderr);
    fputc('\n', stderr);
}

void
gh_cli_advise(const char *format, ...)
{
    char    text[SAY_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);

    fputs("  do: ", stderr);
    put_escaped(text, stderr);
    fputc('\n', stderr);
}

gh_str_t
gh_cli_shown(gh_arena_t *arena, gh_str_t s)
{
    char *copy = NULL;

    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char) s.data[i] >= 0x20 && s.data[i] != 0x7f) {
            continue;
        }
        if (copy == NULL) {
            copy = (char *) gh_str_copy(arena, s).data;
            if (copy == NULL) {
                return GH_STR("(out of memory)");
            }
        }
        copy[i] = '.';
    }

    return copy != NULL ? (gh_str_t) { copy, s.len } : s;
}

int
gh_cli_flush(const gh_cli_t *cli)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        return gh_cli_fail(cli, "cannot write to standard output: %s", strerror(errno));
    }

    return GH_EXIT_DONE;
}

uint64_t
gh_cli_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);

    return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}

const char *
gh_cli_time_text(gh_arena_t *arena, uint64_t unix_ms)
{
    time_t    seconds = (time_t) (unix_ms / 1000);
    struct tm tm;
    char      text[32], part[8] = "";

    if (gmtime_r(&seconds, &tm) == NULL || tm.tm_year > 9999 - 1900) {
        return "beyond the year 9999";
    }

    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    if (unix_ms % 1000 != 0) {
        snprintf(part, sizeof(part), ".%03u", (unsigned) (unix_ms % 1000));
    }

    gh_str_t result = gh_str_format(arena, "%s%sZ", text, part);

    return result.data ? result.data : "";
}

/* Exactly `digits` digits at *p, moved past. -1 otherwise. */
static int
take_digits(const char **p, int digits)
{
    int number = 0;

    while (digits-- > 0) {
        if (!isdigit((unsigned char) **p)) {
            return -1;
        }
        number = number * 10 + (*(*p)++ - '0');
    }

    return number;
}

static bool
take(const char **p, char c)
{
    if (**p != c) {
        return false;
    }
    (*p)++;

    return true;
}

/* Days since 1970-01-01 of a proleptic Gregorian date, or -1 when there is no such day. From 1970 to 9999. */
static int64_t
days_of(int year, int month, int day)
{
    static const int lengths[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int64_t          days = 0;

    if (year < 1970 || month < 1 || month > 12 || day < 1) {
        return -1;
    }

    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    if (day > lengths[month - 1] + (month == 2 && leap)) {
        return -1;
    }

    for (int y = 1970; y < year; y++) {
        days += 365 + ((y % 4 == 0 && y % 100 != 0) || y % 400 == 0);
    }
    for (int m = 1; m < month; m++) {
        days += lengths[m - 1] + (m == 2 && leap);
    }

    return days + day - 1;
}

/* "Z", "+01:00": minutes east of Greenwich. false when it is neither. */
static bool
take_zone(const char **p, int *minutes)
{
    int sign, hours, rest;

    *minutes = 0;
    if (take(p, 'Z') || take(p, 'z')) {
        return true;
    }

    sign = **p == '+' ? 1 : **p == '-' ? -1 : 0;
    if (sign == 0) {
        return false;
    }
    (*p)++;

    hours = take_digits(p, 2);
    if (hours < 0 || hours > 23 || !take(p, ':')) {
        return false;
    }

    rest = take_digits(p, 2);
    *minutes = sign * (hours * 60 + rest);

    return rest >= 0 && rest <= 59;
}

int
gh_cli_time_parse(const char *text, uint64_t *unix_ms)
{
    const char *p = text;
    int         year, month, day, hour, minute, second, milli = 0, zone;
    int64_t     days, ms;

    year = take_digits(&p, 4);
    if (year < 0 || !take(&p, '-') || (month = take_digits(&p, 2)) < 0 || !take(&p, '-')
        || (day = take_digits(&p, 2)) < 0 || (days = days_of(year, month, day)) < 0)
    {
        return GH_ERROR;
    }

    if (*p == '\0') {
        *unix_ms = (uint64_t) days * 86400000;
        return GH_OK;
    }

    if ((!take(&p, 'T') && !take(&p, 't') && !take(&p, ' '))
        || (hour = take_digits(&p, 2)) < 0 || hour > 23 || !take(&p, ':')
        || (minute = take_digits(&p, 2)) < 0 || minute > 59 || !take(&p, ':')
        || (second = take_digits(&p, 2)) < 0 || second > 60)
    {
        return GH_ERROR;
    }

    if (take(&p, '.')) {
        int place = 100;

        if (!isdigit((unsigned char) *p)) {
            return GH_ERROR;
        }
        for ( ; isdigit((unsigned char) *p); p++, place /= 10) {
            milli += (*p - '0') * place;
        }
    }

    if (!take_zone(&p, &zone) || *p != '\0') {
        return GH_ERROR;
    }

    ms = ((days * 24 + hour) * 60 + minute - zone) * 60000 + second * 1000 + milli;
    if (ms < 0) {
        return GH_ERROR;
    }
    *unix_ms = (uint64_t) ms;

    return GH_OK;
}
