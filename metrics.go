package main

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/VictoriaMetrics/metrics"

	"infsh/conns"
)

// partMetrics writes the metrics of the parts that know no HTTP. What each tells
// stands in docs/operations.md.
func partMetrics(st *store, limit *conns.Limit) func(io.Writer) {
	return func(w io.Writer) {
		hits, misses := st.kek.CacheStats()
		metrics.WriteGaugeUint64(w, "infsh_audit_queue_entries", uint64(st.db.AuditQueue()))
		metrics.WriteCounterUint64(w, "infsh_dek_cache_hits_total", uint64(hits))
		metrics.WriteCounterUint64(w, "infsh_dek_cache_misses_total", uint64(misses))
		metrics.WriteGaugeUint64(w, "infsh_dek_cache_entries", uint64(st.kek.CachedDEKs()))
		metrics.WriteGaugeUint64(w, "infsh_connections_open", uint64(limit.Open()))
		metrics.WriteGaugeUint64(w, "infsh_connections_max", uint64(limit.Max()))
		metrics.WriteCounterUint64(w, "infsh_connections_closed_total", uint64(limit.Closed()))
		metrics.WriteGaugeUint64(w, "infsh_streams_open", uint64(limit.Streams()))
		metrics.WriteGaugeUint64(w, "infsh_streams_max", uint64(limit.MaxStreams()))
		writePools(w, st)
	}
}

// writePools tells of the connections to the database. SQLite has one that writes
// and some that read; PostgreSQL has one pool for both.
func writePools(w io.Writer, st *store) {
	pools := st.db.Pools()
	names := slices.Sorted(maps.Keys(pools))
	family := func(name, kind string, sample func(pool string)) {
		metrics.WriteMetadataIfNeeded(w, name, kind)
		for _, pool := range names {
			sample(pool)
		}
	}
	family("infsh_database_connections", "gauge", func(pool string) {
		fmt.Fprintf(w, "infsh_database_connections{pool=%q,state=\"in_use\"} %d\n", pool, pools[pool].InUse)
		fmt.Fprintf(w, "infsh_database_connections{pool=%q,state=\"idle\"} %d\n", pool, pools[pool].Idle)
	})
	family("infsh_database_connections_max", "gauge", func(pool string) {
		fmt.Fprintf(w, "infsh_database_connections_max{pool=%q} %d\n", pool, pools[pool].MaxOpenConnections)
	})
	family("infsh_database_waits_total", "counter", func(pool string) {
		fmt.Fprintf(w, "infsh_database_waits_total{pool=%q} %d\n", pool, pools[pool].WaitCount)
	})
	family("infsh_database_wait_seconds_total", "counter", func(pool string) {
		fmt.Fprintf(w, "infsh_database_wait_seconds_total{pool=%q} %g\n", pool, pools[pool].WaitDuration.Seconds())
	})
}
