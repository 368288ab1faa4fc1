"""Drives a generator as the host does, for its own tests."""

from . import Batch, Effects, Rows, Shard, Window
from wit_world.exports import generator as exports


def run(plugin, config, *, seed=42, start=0, steps=60, partitions=1, windows=1, incidents=()):
    """The rows of a generator, `{table: [row, ...]}`, from as many partitions and windows as asked for."""
    planned = exports.Simulation(**({"signals": [], "targets": [], "inputs": [], "attributes": []} | plugin.plan(config)))
    made = {table.name: [] for table in planned.tables}
    for partition in range(partitions):
        model = plugin(config, Shard(seed, partition, partitions, Window(start, start + steps * planned.step)))
        effects = Effects(planned)
        effects.inject(incidents)
        tables = {table.name: Rows(table) for table in planned.tables}
        for part in range(windows):
            window = Window(
                start + steps * part // windows * planned.step, start + steps * (part + 1) // windows * planned.step
            )
            effects.prepare(window)
            model.advance(window, tables, effects)
            for index, rows in enumerate(tables.values()):
                batch = rows.finish(index)
                if batch is not None:
                    sent = Batch(batch, rows.table.fields)
                    columns = [sent[name] for name in rows.names]
                    made[rows.table.name].extend(dict(zip(rows.names, values)) for values in zip(*columns))
    return made
