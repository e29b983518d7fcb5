/*
 * Directives, configuration and its checks. What each one means stands in conf/reference.md.
 */

#include "ngx_http_gatehouse.h"


static void *ngx_http_gatehouse_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_gatehouse_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_gatehouse_create_srv_conf(ngx_conf_t *cf);
static void *ngx_http_gatehouse_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_gatehouse_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_http_gatehouse_init(ngx_conf_t *cf);
static char *ngx_http_gatehouse_enable(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_gatehouse_path(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_gatehouse_node(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/* configurations that this master has read; workers say in the ledger of which they are */
static uint32_t  ngx_http_gatehouse_generation;


static ngx_conf_num_bounds_t  ngx_http_gatehouse_tries = {
    ngx_conf_check_num_bounds, 1, 8
};


static ngx_command_t  ngx_http_gatehouse_commands[] = {

    { ngx_string("gatehouse_home"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_gatehouse_path,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_gatehouse_main_conf_t, home),
      NULL },

    { ngx_string("gatehouse_ledger"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_gatehouse_path,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_gatehouse_main_conf_t, ledger),
      NULL },

    { ngx_string("gatehouse_secrets"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_gatehouse_path,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_gatehouse_main_conf_t, secrets),
      NULL },

    { ngx_string("gatehouse_credentials"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_gatehouse_path,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_gatehouse_main_conf_t, credentials),
      NULL },

    { ngx_string("gatehouse_node"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_gatehouse_node,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("gatehouse_audit"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_gatehouse_audit,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("gatehouse_backend"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_gatehouse_backend,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("gatehouse_resolve"),
      NGX_HTTP_UPS_CONF|NGX_CONF_TAKE1,
      ngx_http_gatehouse_resolve,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("gatehouse"),
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_http_gatehouse_enable,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_gatehouse_loc_conf_t, enable),
      NULL },

    { ngx_string("gatehouse_route_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_gatehouse_loc_conf_t, route_timeout),
      NULL },

    { ngx_string("gatehouse_tries"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_gatehouse_loc_conf_t, tries),
      &ngx_http_gatehouse_tries },

    { ngx_string("gatehouse_commit_size"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_gatehouse_loc_conf_t, commit_size),
      NULL },

    { ngx_string("gatehouse_stream_keepalive"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_gatehouse_loc_conf_t, stream_keepalive),
      NULL },

    { ngx_string("gatehouse_translate_size"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_gatehouse_loc_conf_t, translate_size),
      NULL },

    { ngx_string("gatehouse_commit_time"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_gatehouse_loc_conf_t, commit_time),
      NULL },

    { ngx_string("gatehouse_drain_time"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_gatehouse_loc_conf_t, drain_time),
      NULL },

    { ngx_string("gatehouse_drain_size"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_off_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_gatehouse_loc_conf_t, drain_size),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_gatehouse_module_ctx = {
    ngx_http_gatehouse_add_variables,      /* preconfiguration */
    ngx_http_gatehouse_init,               /* postconfiguration */

    ngx_http_gatehouse_create_main_conf,   /* create main configuration */
    ngx_http_gatehouse_init_main_conf,     /* init main configuration */

    ngx_http_gatehouse_create_srv_conf,    /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_gatehouse_create_loc_conf,    /* create location configuration */
    ngx_http_gatehouse_merge_loc_conf      /* merge location configuration */
};


ngx_module_t  ngx_http_gatehouse_module = {
    NGX_MODULE_V1,
    &ngx_http_gatehouse_module_ctx,        /* module context */
    ngx_http_gatehouse_commands,           /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_gatehouse_init_process,       /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_gatehouse_exit_process,       /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_http_gatehouse_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_gatehouse_main_conf_t  *gmcf;

    gmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_gatehouse_main_conf_t));
    if (gmcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&gmcf->backends, cf->pool, 8,
                       sizeof(ngx_http_gatehouse_backend_t *))
        != NGX_OK
        || ngx_array_init(&gmcf->resolvers, cf->pool, 4,
                          sizeof(ngx_http_gatehouse_resolve_t *))
        != NGX_OK)
    {
        return NULL;
    }

    return gmcf;
}


static char *
ngx_http_gatehouse_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_gatehouse_main_conf_t *gmcf = conf;

    u_char  *p;

    if (gmcf->home.data == NULL) {
        ngx_str_set(&gmcf->home, "/var/lib/gatehouse");
    }

    if (gmcf->ledger.data == NULL) {
        /* the same as the command's: tmpfs for the one gateway of a host, else beside the store */

        if (ngx_strcmp(gmcf->home.data, "/var/lib/gatehouse") == 0) {
            ngx_str_set(&gmcf->ledger, GH_LEDGER_PATH);

        } else {
            p = ngx_pnalloc(cf->pool, gmcf->home.len + sizeof("/ledger"));
            if (p == NULL) {
                return NGX_CONF_ERROR;
            }

            gmcf->ledger.data = p;
            gmcf->ledger.len = ngx_sprintf(p, "%V/ledger%Z", &gmcf->home)
                               - p - 1;
        }
    }

    if (gmcf->secrets.data == NULL) {
        ngx_str_set(&gmcf->secrets, "/etc/gatehouse");
    }

    if (gmcf->audit.data == NULL) {
        gmcf->audit_segment = GH_RECORD_SEGMENT;
        gmcf->audit_roll = GH_RECORD_ROLL_MS;

        p = ngx_pnalloc(cf->pool, gmcf->home.len + sizeof("/audit"));
        if (p == NULL) {
            return NGX_CONF_ERROR;
        }

        gmcf->audit.data = p;
        gmcf->audit.len = ngx_sprintf(p, "%V/audit%Z", &gmcf->home) - p - 1;
    }

    if (gmcf->credentials.data == NULL) {
        p = ngx_pnalloc(cf->pool, gmcf->home.len + sizeof("/cred"));
        if (p == NULL) {
            return NGX_CONF_ERROR;
        }

        gmcf->credentials.data = p;
        gmcf->credentials.len = ngx_sprintf(p, "%V/cred%Z", &gmcf->home)
                                - p - 1;
    }

    return NGX_CONF_OK;
}


static void *
ngx_http_gatehouse_create_srv_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_gatehouse_srv_conf_t));
}


static void *
ngx_http_gatehouse_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_gatehouse_loc_conf_t  *glcf;

    glcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_gatehouse_loc_conf_t));
    if (glcf == NULL) {
        return NULL;
    }

    glcf->enable = NGX_CONF_UNSET;
    glcf->route_timeout = NGX_CONF_UNSET_MSEC;
    glcf->tries = NGX_CONF_UNSET_UINT;
    glcf->commit_size = NGX_CONF_UNSET_SIZE;
    glcf->commit_time = NGX_CONF_UNSET_MSEC;
    glcf->translate_size = NGX_CONF_UNSET_SIZE;
    glcf->stream_keepalive = NGX_CONF_UNSET_MSEC;
    glcf->drain_time = NGX_CONF_UNSET_MSEC;
    glcf->drain_size = NGX_CONF_UNSET;

    return glcf;
}


static char *
ngx_http_gatehouse_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_gatehouse_loc_conf_t *prev = parent;
    ngx_http_gatehouse_loc_conf_t *conf = child;

    ngx_http_core_loc_conf_t  *clcf;

    /*
     * A location inside a "gatehouse on" location is ours only when it says so itself; an "if" or "limit_except" block is
     * its location.
     */

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (conf->enable == NGX_CONF_UNSET && clcf->noname && prev->enable == 1) {
        conf->enable = 1;

        if (clcf->handler == NULL) {
            clcf->handler = ngx_http_gatehouse_content_handler;
        }
    }

    ngx_conf_merge_value(conf->enable, NGX_CONF_UNSET, 0);
    ngx_conf_merge_msec_value(conf->route_timeout, prev->route_timeout,
                              600000);
    ngx_conf_merge_uint_value(conf->tries, prev->tries, 3);
    ngx_conf_merge_size_value(conf->commit_size, prev->commit_size, 262144);
    ngx_conf_merge_msec_value(conf->commit_time, prev->commit_time, 5000);
    ngx_conf_merge_msec_value(conf->stream_keepalive, prev->stream_keepalive,
                              15000);
    ngx_conf_merge_size_value(conf->translate_size, prev->translate_size,
                              16 * 1024 * 1024);
    ngx_conf_merge_msec_value(conf->drain_time, prev->drain_time, 30000);
    ngx_conf_merge_off_value(conf->drain_size, prev->drain_size,
                             8 * 1024 * 1024);

    if (conf->commit_size < 1024 || conf->commit_size > 16 * 1024 * 1024) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"gatehouse_commit_size\" must be between 1k "
                           "and 16m");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_gatehouse_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt             *h;
    ngx_http_core_main_conf_t       *cmcf;
    ngx_http_gatehouse_main_conf_t  *gmcf;

    gmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_gatehouse_module);

    if (ngx_http_gatehouse_resolve_check(cf, gmcf) != NGX_OK
        || ngx_http_gatehouse_backends_init(cf, gmcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!gmcf->enabled) {
        return NGX_OK;
    }

    if (gmcf->node.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"gatehouse on\" needs \"gatehouse_node NAME;\" "
                           "in the http block: the node's name in fleet/1");
        return NGX_ERROR;
    }

    gmcf->generation = ++ngx_http_gatehouse_generation;

    ngx_http_gatehouse_check_store(cf, gmcf);

    if (ngx_http_gatehouse_filters_init(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_ACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_gatehouse_access_handler;

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_LOG_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_gatehouse_log_handler;

    return NGX_OK;
}


static char *
ngx_http_gatehouse_enable(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_gatehouse_loc_conf_t *glcf = conf;

    char                            *rv;
    ngx_http_core_loc_conf_t        *clcf;
    ngx_http_gatehouse_srv_conf_t   *gscf;
    ngx_http_gatehouse_main_conf_t  *gmcf;

    rv = ngx_conf_set_flag_slot(cf, cmd, conf);
    if (rv != NGX_CONF_OK || !glcf->enable) {
        return rv;
    }

    gmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_gatehouse_module);
    gmcf->enabled = 1;

    gscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_gatehouse_module);
    gscf->answers = 1;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_gatehouse_content_handler;

    return NGX_CONF_OK;
}


static char *
ngx_http_gatehouse_path(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char *p = conf;

    ngx_str_t  *field, *value;

    field = (ngx_str_t *) (p + cmd->offset);

    if (field->data) {
        return "is duplicate";
    }

    value = cf->args->elts;
    *field = value[1];

    if (field->len == 0) {
        return "needs a path";
    }

    if (ngx_conf_full_name(cf->cycle, field, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    while (field->len > 1 && field->data[field->len - 1] == '/') {
        field->len--;
        field->data[field->len] = '\0';
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_gatehouse_node(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_gatehouse_main_conf_t *gmcf = conf;

    ngx_str_t  *value;

    if (gmcf->node.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_http_gatehouse_name_check(cf, &value[1], "node") != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    gmcf->node = value[1];

    return NGX_CONF_OK;
}
