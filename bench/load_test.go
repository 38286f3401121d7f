package bench

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// measured is what came of a load.
type measured struct {
	answers int
	took    time.Duration
	cpu     time.Duration
	// database is the database's part of cpu.
	database time.Duration
}

func (m measured) rate() float64 { return float64(m.answers) / m.took.Seconds() }

// perAnswer is the CPU time of the server, and of its database, for one answer.
func (m measured) perAnswer() float64 { return float64(m.cpu.Microseconds()) / float64(m.answers) }

// databasePerAnswer is the part of a database that is a process of its own.
func (m measured) databasePerAnswer() float64 {
	return float64(m.database.Microseconds()) / float64(m.answers)
}

// warmUp comes before what is measured, for connections and caches.
const warmUp = 200 * time.Millisecond

// load sends requests on so many connections, the next one on each as soon as
// the last is answered, and measures for the given time.
func load(tb testing.TB, target *process, requests func() []byte, connections int, d time.Duration, pids ...int) measured {
	tb.Helper()
	begin := time.Now().Add(warmUp)
	end := begin.Add(d)
	counts := make([]int, connections)
	errs := make([]error, connections)
	var group sync.WaitGroup
	for i := range connections {
		group.Go(func() { counts[i], errs[i] = drive(target.addr, requests, begin, end) })
	}
	time.Sleep(time.Until(begin))
	before, databaseBefore := cpu(tb, target.cmd.Process.Pid), cpu(tb, pids...)
	time.Sleep(time.Until(end))
	used, database := cpu(tb, target.cmd.Process.Pid)-before, cpu(tb, pids...)-databaseBefore
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		tb.Fatal(err)
	}
	m := measured{took: d, cpu: used + database, database: database}
	for _, n := range counts {
		m.answers += n
	}
	return m
}

// drive is one connection's part: it counts the answers between begin and end,
// or until there is no request any more.
// It speaks HTTP/1.1 with its own hands, as net/http's client would take more
// of the machine than the server.
func drive(addr string, requests func() []byte, begin, end time.Time) (n int, err error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(end.Add(20 * time.Second)); err != nil {
		return 0, err
	}
	r := bufio.NewReaderSize(conn, 8<<10)
	for {
		request := requests()
		if request == nil {
			return n, nil
		}
		if _, err := conn.Write(request); err != nil {
			return n, err
		}
		if err := readAnswer(r); err != nil {
			return n, err
		}
		switch now := time.Now(); {
		case now.After(end):
			return n, nil
		case now.After(begin):
			n++
		}
	}
}

// readAnswer reads one answer, which must be a 200 with its length.
func readAnswer(r *bufio.Reader) error {
	length := -1
	for first := true; ; first = false {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		line = bytes.TrimRight(line, "\r\n")
		if first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
			rest, _ := r.Peek(r.Buffered())
			return fmt.Errorf("answered %q\n%s", line, rest)
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return err
			}
		}
		if len(line) == 0 {
			break
		}
	}
	if length < 0 {
		return errors.New("an answer without its length")
	}
	_, err := io.CopyN(io.Discard, r, int64(length))
	return err
}

// warm resolves once for each team, as a server that has run for a while has,
// and measures how fast that goes.
func (s *store) warm(tb testing.TB, target *process) (rate float64) {
	tb.Helper()
	const connections = 64
	var next atomic.Int64
	requests := func() []byte {
		if team := int(next.Add(1)) - 1; team < s.teams {
			return s.resolve(team)
		}
		return nil
	}
	begin := time.Now()
	errs := make([]error, connections)
	var group sync.WaitGroup
	for i := range connections {
		group.Go(func() { _, errs[i] = drive(target.addr, requests, begin, begin.Add(time.Hour)) })
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		tb.Fatal(err)
	}
	return float64(s.teams) / time.Since(begin).Seconds()
}

// resolves makes requests of the store's runners, each of a random team.
func (s *store) resolves() func() []byte {
	return func() []byte { return s.resolve(rand.IntN(s.teams)) }
}

// resolve is one runner's request.
func (s *store) resolve(team int) []byte {
	body := fmt.Sprintf(`{"app":"%s/app","run_id":"run-%08d"}`, teamName(team), rand.IntN(1e8))
	return fmt.Appendf(nil, "POST /internal/v1/resolve HTTP/1.1\r\nHost: infsh\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		token(team), len(body), body)
}
