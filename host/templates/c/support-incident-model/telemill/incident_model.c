#include "incident_model.h"

#include <stdlib.h>
#include <string.h>

#define GROW(list) tm_grow((void **)&(list).ptr, &(list).len, sizeof *(list).ptr)

typedef telemill_plugin_types_error_t error_t;

tm_incident *tm_add(tm_incidents *to, plugin_string_t id, const char *kind, plugin_string_t title) {
  tm_incident *incident = GROW(*to);
  incident->id = id;
  incident->kind = tm_string("%s", kind);
  incident->title = title;
  incident->severity = TELEMILL_PLUGIN_TYPES_SEVERITY_MEDIUM;
  return incident;
}

tm_effect *tm_scale(tm_incident *incident, const tm_target *target, const char *signal, double value, int64_t start, int64_t full,
                    int64_t release, int64_t end) {
  bool first = incident->effects.len == 0;
  tm_effect *effect = GROW(incident->effects);
  *effect = (tm_effect){
      .target = tm_string("%.*s", (int)target->name.len, target->name.ptr),
      .signal = tm_string("%s", signal),
      .operation = TELEMILL_PLUGIN_TYPES_OPERATION_SCALE,
      .value = value,
      .start = start,
      .full = full,
      .release = release,
      .end = end,
  };
  if (first || start < incident->window.start) incident->window.start = start;
  if (first || release > incident->window.end) incident->window.end = release;
  if (first || end > incident->recovered) incident->recovered = end;
  return effect;
}

void exports_telemill_plugin_incident_model_kinds(exports_telemill_plugin_incident_model_list_kind_t *ret) {
  memset(ret, 0, sizeof *ret);
  for (const char *const *kind = tm_kinds; *kind; kind += 2) {
    exports_telemill_plugin_incident_model_kind_t *next = GROW(*ret);
    next->name = tm_string("%s", kind[0]);
    next->summary = tm_string("%s", kind[1]);
  }
}

bool exports_telemill_plugin_incident_model_open(plugin_string_t *config, uint64_t seed, tm_window *span,
                                                 exports_telemill_plugin_incident_model_list_target_t *targets, error_t *err) {
  (void)span;
  // The targets stay: the model looks at them for as long as it lives.
  tm_open(tm_config_of(config), seed, (tm_targets){targets->ptr, targets->len});
  plugin_string_free(config);
  return !tm_failed(err);
}

static bool given(tm_incidents *ret, error_t *err) {
  if (!tm_failed(err)) return true;
  exports_telemill_plugin_incident_model_list_incident_free(ret);
  return false;
}

bool exports_telemill_plugin_incident_model_plan(tm_window *day, tm_incidents *ret, error_t *err) {
  memset(ret, 0, sizeof *ret);
  tm_plan(*day, ret);
  return given(ret, err);
}

bool exports_telemill_plugin_incident_model_trigger(plugin_string_t *kind, plugin_string_t *target, tm_window *window,
                                                    tm_incidents *ret, error_t *err) {
  memset(ret, 0, sizeof *ret);
  char *kind_text = tm_copied(*kind), *target_text = tm_copied(*target);
  tm_trigger(kind_text, target_text, *window, ret);
  free(kind_text);
  free(target_text);
  plugin_string_free(kind);
  plugin_string_free(target);
  return given(ret, err);
}
