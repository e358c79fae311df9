-- name: ClaimEmail :one
-- Claims an address for a user, refreshing the user's own claim, and tells whose claim it then is. seen_user and seen_at
-- name a claim that was found dead: it is overwritten if it still is that very one.
WITH mine AS (
    INSERT INTO user_emails AS e (email, user_id) VALUES (@email::text, @user_id::text)
    ON CONFLICT (email) DO UPDATE SET user_id = excluded.user_id, claimed_at = clock_timestamp()
        WHERE e.user_id = excluded.user_id OR (e.user_id = @seen_user::text AND e.claimed_at = @seen_at::timestamptz)
    RETURNING e.user_id, e.claimed_at)
SELECT m.user_id, m.claimed_at, false AS stale FROM mine m
UNION ALL
SELECT e.user_id, e.claimed_at, (e.claimed_at < clock_timestamp() - interval '1 minute')::boolean AS stale
FROM user_emails e WHERE e.email = @email::text AND NOT EXISTS (SELECT 1 FROM mine)
LIMIT 1;

-- name: EmailOwner :one
SELECT user_id FROM user_emails WHERE email = $1;

-- name: LockUser :exec
-- Serialises, on the shard of the id, the registration of a guest with the claim on it.
SELECT pg_advisory_xact_lock(hashtextextended('user:' || @id::text, 0));

-- name: InsertUser :exec
-- Nothing when the id is an account, when an account claimed the guest, or when the claim on the address is so old
-- that somebody else may be taking it over.
WITH fresh AS (
    INSERT INTO users (id, email, name, password_hash, op_id, created_by, updated_by)
    SELECT @id::text, @email::text, @name::text, @password_hash::text, @op_id::text, @id::text, @id::text
    WHERE clock_timestamp() - interval '30 seconds' < @claimed_at::timestamptz
        AND NOT EXISTS (SELECT 1 FROM guest_claims g WHERE g.guest_id = @id::text)
    ON CONFLICT (id) DO NOTHING RETURNING id)
INSERT INTO outbox (topic, key, payload, traceparent)
SELECT 'user.registered', f.id, jsonb_build_object('user_id', f.id), @traceparent::text FROM fresh f;

-- name: UserByID :one
SELECT id, email, name, password_hash, op_id, created_at FROM users WHERE id = $1;

-- name: UpdateUser :one
-- Changes what its set_ flag names; a new address only while the claim on it is young.
UPDATE users SET email = CASE WHEN @set_email::boolean THEN @email::text ELSE email END,
    name = CASE WHEN @set_name::boolean THEN @name::text ELSE name END,
    password_hash = CASE WHEN @set_password_hash::boolean THEN @password_hash::text ELSE password_hash END,
    version = version + 1, updated_at = now(), updated_by = id
WHERE id = @id::text
    AND (NOT @set_email::boolean OR clock_timestamp() - interval '30 seconds' < @claimed_at::timestamptz)
RETURNING id, email, name, created_at;

-- name: CreateSession :exec
INSERT INTO sessions (user_id, id, expires_at) VALUES ($1, $2, $3)
ON CONFLICT (user_id, id) DO UPDATE SET expires_at = excluded.expires_at;

-- name: DeleteSession :exec
DELETE FROM sessions WHERE user_id = $1 AND id = $2;

-- name: SessionStands :one
SELECT EXISTS (SELECT 1 FROM sessions WHERE user_id = $1 AND id = $2 AND expires_at > now());

-- name: GuestStands :one
SELECT (NOT EXISTS (SELECT 1 FROM users WHERE id = @id::text)
    AND NOT EXISTS (SELECT 1 FROM guest_claims WHERE guest_id = @id::text))::boolean;

-- name: ClaimGuest :exec
INSERT INTO guest_claims (guest_id, user_id)
SELECT @guest_id::text, @user_id::text WHERE NOT EXISTS (SELECT 1 FROM users WHERE id = @guest_id::text)
ON CONFLICT (guest_id) DO NOTHING;

-- name: GuestOwner :one
SELECT user_id FROM guest_claims WHERE guest_id = $1;

-- name: AddGuest :exec
INSERT INTO user_guests (user_id, guest_id) VALUES ($1, $2) ON CONFLICT DO NOTHING;

-- name: GuestsOf :many
SELECT guest_id FROM user_guests WHERE user_id = $1;
