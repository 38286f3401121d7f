package secret

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"infsh/audit"
	"infsh/envvar"
)

// Delivery is the last time that runs of an app's version received a version of
// a key. The audit log has each run; deliveries are read from it, see ADR 7.
type Delivery struct {
	// Key and Version are the team's secret. The empty key is the last run of the
	// app's version, whatever it received.
	Key     envvar.Key
	Version int64
	App     string // namespace/name
	// AppVersion is its number; 0 for a run of a release that did not record it.
	AppVersion int64
	At         time.Time
	RunID      string
	// Seq is the number of the run's entry in the team's audit log.
	Seq int64
}

// Deliveries are what a team's log says of a key.
type Deliveries struct {
	// Items has at most one delivery for each app's version and version of the
	// key, and the last run of each of these apps' versions.
	Items []Delivery
	// Unread is how many entries of the log are not in it yet. It is 0 but for the
	// minute after a team's log grew by very many at once; those are not the
	// newest.
	Unread int64
}

const runVersion = "version "

// Ran is how the entry of a run names the app's version.
func ran(number int64) string {
	if number == 0 {
		return ""
	}
	return fmt.Sprintf(runVersion+"%d", number)
}

// RanVersion reads the app's version from a run's entry; 0 if it has none.
func RanVersion(reason string) (number int64) {
	if n, err := fmt.Sscanf(reason, runVersion+"%d", &number); n != 1 || err != nil {
		return 0
	}
	return number
}

// DeliveriesOf are those of a run's entry: the last run of its app's version, and
// each key that it received.
func DeliveriesOf(e audit.Entry) []Delivery {
	last := Delivery{App: e.Target, AppVersion: RanVersion(e.Reason), At: e.At, RunID: e.RunID, Seq: e.Seq}
	out := []Delivery{last}
	for _, v := range e.Versions {
		d := last
		_, source := received(v.Key)
		d.Key, d.Version = envvar.Key(source), v.Version
		out = append(out, d)
	}
	return out
}

// ReceivedIn returns what a run's entry says that it was given, without the values.
func ReceivedIn(e audit.Entry) (out []Injected) {
	for _, v := range e.Versions {
		declared, source := received(v.Key)
		out = append(out, Injected{Key: envvar.Key(declared), Source: envvar.Key(source), Version: v.Version})
	}
	return out
}

// received reads how an entry names a key that a run received: DECLARED=TEAMKEY
// where another of the team's keys is bound.
func received(name string) (declared, source string) {
	declared, source, bound := strings.Cut(name, "=")
	if !bound {
		return name, name
	}
	return declared, source
}

// Latest keeps the newest delivery of those that differ only in their time.
func Latest(all []Delivery) []Delivery {
	type place struct {
		key        envvar.Key
		version    int64
		app        string
		appVersion int64
	}
	newest := map[place]Delivery{}
	for _, d := range all {
		at := place{d.Key, d.Version, d.App, d.AppVersion}
		if have, ok := newest[at]; !ok || d.Seq > have.Seq {
			newest[at] = d
		}
	}
	out := make([]Delivery, 0, len(newest))
	for _, d := range newest {
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b Delivery) int {
		return cmp.Or(cmp.Compare(b.Seq, a.Seq), cmp.Compare(a.Key, b.Key), cmp.Compare(b.Version, a.Version))
	})
	return out
}

// ReadRuns reads what the log has grown by into the table of deliveries, for the
// teams whose log grew by much. A page reads the rest by itself.
func (s *Service) ReadRuns(ctx context.Context) error { return s.store.ReadRuns(ctx) }
