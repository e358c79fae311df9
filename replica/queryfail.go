package replica

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/prometheus/client_golang/prometheus"
)

// failKey is why statements of a database failed on a node: the SQLSTATE's class (53 is a lack of disk, memory or connections), "late"
// when no time was left, "link" when the server was not reached.
type failKey struct{ database, node, class string }

var queryFails = prometheus.NewDesc("stampede_query_failures_total",
	"Statements that failed, by the class of their SQLSTATE; late: no time was left; link: the connection broke.", []string{"database", "node", "class"}, nil)

const maxFails = 256 // series; classes are few, but come from servers

func failClass(err error) string {
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &pg) && len(pg.Code) == 5:
		return pg.Code[:2]
	case errors.Is(err, context.DeadlineExceeded), pgconn.Timeout(err):
		return "late"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	}
	return "link"
}

// failed counts an error; errors are rare, so that the lock is cheap.
func (q *Queries) failed(database, node string, err error) {
	k := failKey{database, node, failClass(err)}
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, known := q.fails[k]; known || len(q.fails) < maxFails {
		q.fails[k]++
	}
}

// collectFails sends the counters; the lock is held.
func (q *Queries) collectFails(ch chan<- prometheus.Metric) {
	for k, n := range q.fails {
		ch <- prometheus.MustNewConstMetric(queryFails, prometheus.CounterValue, float64(n), k.database, k.node, k.class)
	}
}
