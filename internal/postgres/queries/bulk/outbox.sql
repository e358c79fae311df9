INSERT INTO outbox (topic, key, payload, traceparent)
SELECT $1, c.key, c.payload::jsonb, $4 FROM unnest($2::text[], $3::text[]) AS c(key, payload)
