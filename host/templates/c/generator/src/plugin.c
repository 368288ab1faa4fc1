// The generator @name@: what the sensors of a building report. Put your own system in its place.

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "generator.h"

#define STEP (10 * TM_SECOND)

const tm_about tm_about_this = {
    .name = "@name@",
    .version = "0.1.0",
    .summary = "Temperatures that the sensors of a building report",
    .properties =
        "\"sensors\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":10000,\"default\":20,"
        "\"description\":\"How many sensors there are\"},"
        "\"celsius\":{\"type\":\"number\",\"minimum\":-50,\"maximum\":60,\"default\":21,"
        "\"description\":\"What they show on average\"}",
    .examples = (const char *const[]){"few", "{\"sensors\":3}", NULL},
};

enum { AT, SENSOR, CELSIUS, INCIDENT_ID };

static void name_of(char *name, size_t size, size_t index) { snprintf(name, size, "sensor-%02zu", index); }

// What is simulated: the grid of time, tables, and what incidents can bend.
void tm_plan(tm_config config, tm_simulation *to) {
  to->step = STEP;
  tm_table(to, "readings", "One reading of one sensor", "at");
  tm_field(to, "at", TM_TIMESTAMP, "When it was taken", NULL, false);
  tm_moved_by(to, "");
  tm_field(to, "sensor", TM_TEXT, "Which sensor", NULL, false);
  tm_moved_by(to, "");
  tm_owner(to);
  tm_field(to, "celsius", TM_FLOAT64, "Temperature", "Cel", false);
  tm_moved_by(to, "heat");
  tm_field(to, "incident_id", TM_TEXT, "The incident that bent it", NULL, true);
  tm_signal(to, "heat", "What warms a sensor", "readings", "celsius", false);
  for (int64_t index = 0; index < tm_integer(config, "sensors", 20); index += 1) {
    char name[32];
    name_of(name, sizeof name, (size_t)index);
    tm_target(to, name, "heat");
    tm_target_attribute(to, "role", "sensor");
  }
}

typedef struct {
  size_t index;
  uint32_t key;
  tm_noise noise;
} sensor_t;

static sensor_t *sensors;
static size_t count;
static double average;

// One partition of a run: the sensors that it owns. A value follows from seed, sensor and step alone.
void tm_open(tm_config config, const tm_shard *shard) {
  average = tm_number(config, "celsius", 21.0);
  for (int64_t index = 0; index < tm_integer(config, "sensors", 20); index += 1) {
    if (!tm_owns(shard, (uint64_t)index)) continue;
    char name[32];
    name_of(name, sizeof name, (size_t)index);
    sensor_t *sensor = tm_grow((void **)&sensors, &count, sizeof *sensor);
    sensor->index = (size_t)index;
    sensor->key = tm_key(tm_rows_of(0), SENSOR, name);
    sensor->noise = tm_noise_of(shard->seed, tm_process("noise"), (uint64_t)index, 60.0);
  }
}

void tm_advance(tm_window window) {
  tm_rows *rows = tm_rows_of(0);
  for (int64_t t = window.start; t < window.end; t += STEP) {
    double day = 2.0 * sin((tm_hour_of_day(t) - 9.0) / 12.0 * 3.141592653589793);
    for (size_t i = 0; i < count; i += 1) {
      sensor_t *sensor = &sensors[i];
      tm_bent heat = tm_at(sensor->index, 0, t);
      double base = average + day + 0.5 * tm_noise_at(&sensor->noise, tm_floor_div(t, STEP));
      tm_push_whole(rows, AT, t);
      tm_push_key(rows, SENSOR, sensor->key);
      tm_push(rows, CELSIUS, tm_apply(heat, base));
      tm_push_text(rows, INCIDENT_ID, tm_blame(heat, base));
    }
  }
}
