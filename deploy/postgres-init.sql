-- Runs once, when the container's PostgreSQL is made: one database a shard, beside "catalog".
CREATE DATABASE shard1;
CREATE DATABASE shard2;
CREATE DATABASE shard3;
CREATE DATABASE shard4;
