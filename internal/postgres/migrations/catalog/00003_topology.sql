-- The map of shards, moves of keys between them, and the processes that follow. See the package shard/move, whose
-- CoordinatorSQL this is.

-- +goose Up
CREATE TABLE shard_topology (
    one        boolean     PRIMARY KEY DEFAULT true CHECK (one),
    version    bigint      NOT NULL,
    epoch      bigint      NOT NULL,
    phase      text        NOT NULL CHECK (phase IN ('steady', 'moving', 'holding', 'cleaning')),
    map        jsonb       NOT NULL,
    next       jsonb,
    move_id    bigint,
    hold_until timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE shard_topology IS
    'The map of shards in force, in one row. Not sharded. version grows with every map, epoch with every change that processes have to acknowledge.';

CREATE TABLE shard_moves (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    state      text        NOT NULL CHECK (state IN ('announced', 'capturing', 'copying', 'tailing', 'cleaning', 'done', 'aborting', 'aborted')),
    map        jsonb       NOT NULL,
    next       jsonb       NOT NULL,
    progress   jsonb       NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE shard_moves IS 'Moves of keys between shards, past and under way. Not sharded. progress: where a move goes on after a crash.';

CREATE TABLE shard_members (
    id      text        PRIMARY KEY,
    epoch   bigint      NOT NULL,
    seen_at timestamptz NOT NULL
);
COMMENT ON TABLE shard_members IS 'Processes that use shards, and the epoch that each has acted on. Not sharded.';
COMMENT ON INDEX shard_topology_pkey IS 'keeps it to one row';
COMMENT ON INDEX shard_moves_pkey IS 'Current, save: the move that the topology names';
COMMENT ON INDEX shard_members_pkey IS 'beat, leave: one row a process';

-- +goose Down
DROP TABLE shard_members, shard_moves, shard_topology;
