package main

import "github.com/prometheus/client_golang/prometheus"

// collectors are the metrics of the parts that know no HTTP.
func collectors(st *store) []prometheus.Collector {
	return []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "infsh_audit_queue_entries", Help: "Audit entries that wait for their commit; answers wait with them.",
		}, func() float64 { return float64(st.db.AuditQueue()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "infsh_dek_cache_hits_total", Help: "Opened data encryption keys that were in memory.",
		}, func() float64 { hits, _ := st.kek.CacheStats(); return float64(hits) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "infsh_dek_cache_misses_total", Help: "Data encryption keys that had to be unwrapped by the key encryption key.",
		}, func() float64 { _, misses := st.kek.CacheStats(); return float64(misses) }),
	}
}
