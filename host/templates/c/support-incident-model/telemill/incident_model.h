// What an incident model in C defines, and what it fills.
#ifndef TELEMILL_INCIDENT_MODEL_H
#define TELEMILL_INCIDENT_MODEL_H

#include "telemill.h"

typedef telemill_plugin_types_target_t tm_target;
typedef telemill_plugin_types_effect_t tm_effect;
typedef telemill_plugin_types_incident_t tm_incident;
typedef exports_telemill_plugin_incident_model_list_incident_t tm_incidents;
typedef struct { const tm_target *targets; size_t count; } tm_targets;

// Adds an incident; its effects follow. Title and ids are formatted with tm_string.
tm_incident *tm_add(tm_incidents *to, plugin_string_t id, const char *kind, plugin_string_t title);
// Scales a signal: from `start` on, in full force from `full` to `release`, back to normal at `end`. What is needed otherwise
// (offset, set, severity, decoy, cause) is set in what it returns, or in the incident.
tm_effect *tm_scale(tm_incident *incident, const tm_target *target, const char *signal, double value, int64_t start, int64_t full,
                    int64_t release, int64_t end);

// The plugin's own functions and kinds: pairs of a name and a summary, ended by NULL.
extern const char *const tm_kinds[];
void tm_open(tm_config config, uint64_t seed, tm_targets targets);
void tm_plan(tm_window day, tm_incidents *to);
void tm_trigger(const char *kind, const char *target, tm_window window, tm_incidents *to);

#endif
