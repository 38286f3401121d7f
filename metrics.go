package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"infsh/conns"
)

// collectors are the metrics of the parts that know no HTTP.
func collectors(st *store, limit *conns.Limit) []prometheus.Collector {
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	counter := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, value)
	}
	return []prometheus.Collector{
		gauge("infsh_audit_queue_entries", "Audit entries that wait for their commit; answers wait with them.",
			func() float64 { return float64(st.db.AuditQueue()) }),
		counter("infsh_dek_cache_hits_total", "Opened data encryption keys that were in memory.",
			func() float64 { hits, _ := st.kek.CacheStats(); return float64(hits) }),
		counter("infsh_dek_cache_misses_total", "Data encryption keys that had to be unwrapped by the key encryption key.",
			func() float64 { _, misses := st.kek.CacheStats(); return float64(misses) }),
		gauge("infsh_dek_cache_entries", "Opened data encryption keys in memory.",
			func() float64 { return float64(st.kek.CachedDEKs()) }),
		gauge("infsh_connections_open", "Open connections of clients.", func() float64 { return float64(limit.Open()) }),
		gauge("infsh_connections_max", "How many connections of clients may be open.", func() float64 { return float64(limit.Max()) }),
		gauge("infsh_streams_open", "Streams by which runners and open pages wait for changes.", func() float64 { return float64(limit.Streams()) }),
		gauge("infsh_streams_max", "How many such streams may go on; their connections are not among the others.", func() float64 { return float64(limit.MaxStreams()) }),
		counter("infsh_connections_closed_total", "Connections of clients that were closed to make room for others, or for want of it.",
			func() float64 { return float64(limit.Closed()) }),
		databasePool{st},
	}
}

// databasePool tells of the connections to the database. SQLite has one that
// writes and some that read; PostgreSQL has one pool for both.
type databasePool struct{ st *store }

var (
	poolConnections = prometheus.NewDesc("infsh_database_connections", "Open connections to the database, by what they are for and whether they are in use.", []string{"pool", "state"}, nil)
	poolMax         = prometheus.NewDesc("infsh_database_connections_max", "How many connections to the database may be open.", []string{"pool"}, nil)
	poolWaits       = prometheus.NewDesc("infsh_database_waits_total", "How often something had to wait for a connection to the database.", []string{"pool"}, nil)
	poolWaited      = prometheus.NewDesc("infsh_database_wait_seconds_total", "How long all have waited for a connection to the database.", []string{"pool"}, nil)
)

func (p databasePool) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{poolConnections, poolMax, poolWaits, poolWaited} {
		out <- d
	}
}

func (p databasePool) Collect(out chan<- prometheus.Metric) {
	for name, s := range p.st.db.Pools() {
		out <- prometheus.MustNewConstMetric(poolConnections, prometheus.GaugeValue, float64(s.InUse), name, "in_use")
		out <- prometheus.MustNewConstMetric(poolConnections, prometheus.GaugeValue, float64(s.Idle), name, "idle")
		out <- prometheus.MustNewConstMetric(poolMax, prometheus.GaugeValue, float64(s.MaxOpenConnections), name)
		out <- prometheus.MustNewConstMetric(poolWaits, prometheus.CounterValue, float64(s.WaitCount), name)
		out <- prometheus.MustNewConstMetric(poolWaited, prometheus.CounterValue, s.WaitDuration.Seconds(), name)
	}
}
