-- name: LookupWords :many
-- How frequent each word is (0: unknown), and roughly how many products there are.
SELECT asked.word::text AS word, coalesce(w.docs, 0)::bigint AS docs, products_estimate()::bigint AS products
FROM unnest(@words::text[]) AS asked(word) LEFT JOIN search_words w ON w.word = asked.word;

-- name: WordsWithPrefix :one
-- Words from prefix up to (excluding) upper: how many there are and how many products they stand in, at most.
SELECT count(*)::bigint AS words, coalesce(sum(docs), 0)::bigint AS docs
FROM (SELECT docs FROM search_words WHERE word >= @prefix AND word < @upper LIMIT 200) w;

-- name: SimilarWords :many
SELECT word::text AS word, docs::bigint AS docs FROM similar_words(@word::text);

-- name: KnowWords :exec
-- New words get their first count; known ones keep theirs, so that edits of products do not queue up behind each other.
INSERT INTO search_words (word, docs) SELECT unnest(@words::text[]), 1 ON CONFLICT (word) DO NOTHING;

-- name: CountWords :exec
-- Adds the counts of an import; words come sorted, so that two transactions lock them in the same order.
INSERT INTO search_words (word, docs) SELECT unnest(@words::text[]), unnest(@docs::bigint[])
ON CONFLICT (word) DO UPDATE SET docs = search_words.docs + excluded.docs;

-- name: ListMarks :many
-- The marks of one kind and how many products have each, in their order.
SELECT word, docs FROM search_words WHERE word >= @first AND word <= @last ORDER BY word;

-- name: LockImports :exec
-- Imports take turns, batch by batch (the number is this lock's and has no meaning). New entries of the search index are
-- merged into it in fewer, larger and therefore cheaper steps.
SELECT pg_advisory_xact_lock(7266301), set_config('gin_pending_list_limit', '65536', true), set_config('work_mem', '65536', true);
