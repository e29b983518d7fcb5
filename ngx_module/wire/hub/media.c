/* Types of images, documents and sounds, by their media type and by the word that Bedrock has for it. Source of the words: the service model of bedrock-runtime (botocore). */
#include <string.h>

#include "ngx_module/wire/hub/read.h"

/* file: what a document is called that has no name. */
static const struct {
    gh_hub_kind_t kind;
    const char   *format, *media_type, *file;
} formats[] = {
    { GH_HUB_IMAGE, "png", "image/png", NULL }, { GH_HUB_IMAGE, "jpeg", "image/jpeg", NULL }, { GH_HUB_IMAGE, "gif", "image/gif", NULL },
    { GH_HUB_IMAGE, "webp", "image/webp", NULL },
    { GH_HUB_DOCUMENT, "pdf", "application/pdf", "document.pdf" }, { GH_HUB_DOCUMENT, "txt", "text/plain", "document.txt" },
    { GH_HUB_DOCUMENT, "csv", "text/csv", "document.csv" }, { GH_HUB_DOCUMENT, "html", "text/html", "document.html" },
    { GH_HUB_DOCUMENT, "md", "text/markdown", "document.md" }, { GH_HUB_DOCUMENT, "doc", "application/msword", "document.doc" },
    { GH_HUB_DOCUMENT, "docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "document.docx" },
    { GH_HUB_DOCUMENT, "xls", "application/vnd.ms-excel", "document.xls" },
    { GH_HUB_DOCUMENT, "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "document.xlsx" },
    { GH_HUB_AUDIO, "wav", "audio/wav", NULL }, { GH_HUB_AUDIO, "mp3", "audio/mpeg", NULL },
};

#define FORMATS (sizeof(formats) / sizeof(formats[0]))

const char *
gh_hub_media_type(gh_hub_kind_t kind, gh_str_t format)
{
    for (size_t i = 0; i < FORMATS; i++) {
        if (formats[i].kind == kind && gh_hub_is(format, formats[i].format)) {
            return formats[i].media_type;
        }
    }

    return NULL;
}

const char *
gh_hub_media_format(gh_hub_kind_t kind, gh_str_t media_type)
{
    for (size_t i = 0; i < FORMATS; i++) {
        if (formats[i].kind == kind && gh_hub_is(media_type, formats[i].media_type)) {
            return formats[i].format;
        }
    }

    return NULL;
}

gh_str_t
gh_hub_file_name(const gh_hub_part_t *part)
{
    if (part->name.len != 0) {
        return part->name;
    }

    for (size_t i = 0; i < FORMATS; i++) {
        if (formats[i].file != NULL && gh_hub_is(part->media_type, formats[i].media_type)) {
            return gh_str_from(formats[i].file);
        }
    }

    return GH_STR("document");
}
