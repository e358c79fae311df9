package analytics

import (
	"fmt"
	"strings"
	"time"
)

// reports are SELECTs over events, in the SQL that every store understands: what a dialect makes of aggregates over nothing, of FILTER without
// WHERE and of its own functions of time differs. %s is the moment from which on they look.
var reports = map[string]string{
	// Distinct shoppers who came at least as far as each stage; who looks before having a session is seen from the first thing added.
	// Of sampled events, a shopper counts for as many as the least of the weights of what tells.
	"funnel": `WITH stage AS (
	SELECT time::DATE AS day, shopper, min(weight) AS v, min(CASE WHEN kind IN ('add', 'checkout', 'order') THEN weight END) AS a,
		min(CASE WHEN kind IN ('checkout', 'order') THEN weight END) AS c, min(CASE WHEN kind = 'order' THEN weight END) AS o
	FROM events WHERE time >= %s AND shopper IS NOT NULL AND kind IN ('view', 'add', 'checkout', 'order') GROUP BY day, shopper)
SELECT day, round(sum(v))::BIGINT AS viewed, round(coalesce(sum(a), 0))::BIGINT AS added, round(coalesce(sum(c), 0))::BIGINT AS began_checkout,
	round(coalesce(sum(o), 0))::BIGINT AS ordered, round(coalesce(sum(o), 0) / sum(v), 4) AS conversion
FROM stage GROUP BY day ORDER BY day`,
	"revenue": `SELECT time::DATE AS day, currency, count(*) FILTER (WHERE kind = 'order') AS orders, sum(CASE WHEN kind = 'order' THEN amount ELSE 0 END)::BIGINT AS revenue,
	sum(CASE WHEN kind = 'purchase' THEN quantity ELSE 0 END)::BIGINT AS units, count(*) FILTER (WHERE kind = 'cancel') AS cancelled,
	sum(CASE WHEN kind = 'cancel' THEN amount ELSE 0 END)::BIGINT AS refunded,
	round(coalesce(avg(CASE WHEN kind = 'order' THEN amount END), 0), 2) AS average_order
FROM events WHERE time >= %s AND kind IN ('order', 'purchase', 'cancel') GROUP BY day, currency ORDER BY day, currency NULLS LAST`,
	"cohort": `WITH bought AS (SELECT shopper, date_trunc('week', time)::DATE AS week FROM events WHERE time >= %s AND kind = 'order' AND shopper IS NOT NULL GROUP BY ALL),
	first AS (SELECT shopper, min(week) AS cohort FROM bought GROUP BY shopper),
	size AS (SELECT cohort, count(*) AS shoppers FROM first GROUP BY cohort)
SELECT cohort, shoppers, date_diff('week', cohort, week) AS weeks_later, count(*) AS bought, round(count(*) / shoppers, 4) AS share
FROM bought JOIN first USING (shopper) JOIN size USING (cohort) GROUP BY cohort, shoppers, week ORDER BY cohort, weeks_later`,
	// Lift: how many times more often together than two products as popular would be by chance.
	"basket": `WITH line AS (SELECT DISTINCT order_id, product FROM events WHERE time >= %s AND kind = 'purchase' AND order_id IS NOT NULL),
	n AS (SELECT count(DISTINCT order_id) AS orders FROM line), alone AS (SELECT product, count(*) AS orders FROM line GROUP BY product),
	pair AS (SELECT a.product AS first, b.product AS second, count(*) AS together FROM line a JOIN line b ON a.order_id = b.order_id WHERE a.product < b.product GROUP BY ALL)
SELECT first, second, together, round(together / x.orders, 4) AS of_first, round(together / y.orders, 4) AS of_second, round(together * n.orders / (x.orders * y.orders), 2) AS lift
FROM pair JOIN alone x ON x.product = first JOIN alone y ON y.product = second CROSS JOIN n WHERE together > 1 ORDER BY together DESC, lift DESC, first, second LIMIT 100`,
}

// Report is the SELECT of a report by its name, over what happened since then. It is the same for every store.
func Report(name string, since time.Time) (string, error) {
	sql, ok := reports[name]
	if !ok {
		return "", fmt.Errorf("there is no report %q: take funnel, revenue, cohort or basket", name)
	}
	return strings.Replace(sql, "%s", since.UTC().Format("'2006-01-02 15:04:05.000000'"), 1), nil
}
