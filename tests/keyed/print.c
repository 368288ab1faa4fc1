// Prints the table of draws again, as the helpers for C make them. Built with telemill.c; what that wants of a plugin and of its
// bindings is here, and does nothing.

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "telemill.h"

const tm_about tm_about_this = {.name = "keyed", .version = "0.0.0", .summary = "", .properties = ""};
void plugin_string_free(plugin_string_t *text) { free(text->ptr); }
void telemill_plugin_host_log(telemill_plugin_host_level_t level, plugin_string_t *text) { (void)level, (void)text; }

int main(void) {
  char line[512];
  while (fgets(line, sizeof line, stdin)) {
    if (line[0] == '#') {
      fputs(line, stdout);
      continue;
    }
    char *cells[4], *at = line;
    for (int i = 0; i < 4; i += 1) {
      cells[i] = at;
      at += strcspn(at, "\t\n");
      *at++ = 0;
    }
    uint64_t seed = strtoull(cells[0], NULL, 10), entity = strtoull(cells[2], NULL, 10), process = tm_process(cells[1]);
    int64_t step = strtoll(cells[3], NULL, 10);
    tm_stream draws = tm_stream_of(seed, process, entity, step);
    uint64_t one = tm_next(&draws), two = tm_next(&draws), few = tm_below(&draws, 1000);
    uint64_t many = tm_below(&draws, UINT64_C(1) << 40), bits;
    double unit = tm_next_unit(&draws);
    memcpy(&bits, &unit, sizeof bits);
    printf("%s\t%s\t%s\t%s\t%016" PRIx64 "\t%016" PRIx64 "\t%016" PRIx64 "\t%" PRIu64 "\t%" PRIu64 "\t%016" PRIx64 "\n", cells[0],
           cells[1], cells[2], cells[3], tm_bits(tm_steps_of(seed, process, entity), step), one, two, few, many, bits);
  }
}
