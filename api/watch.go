package api

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// watchSilence is how long a stream may say nothing: the server's heartbeat
// comes every 15 s.
const watchSilence = 45 * time.Second

// Kinds of [WatchEvent].
const (
	// WatchReady is the first event, with the present state.
	WatchReady = "ready"
	// WatchChanged says that the state is another one.
	WatchChanged = "changed"
)

// WatchEvent is one event of a watch. ID names the state of what the app
// receives; there is no value in it.
type WatchEvent struct{ Event, ID string }

// Watch is an open stream of events.
type Watch struct {
	body    io.ReadCloser
	lines   *bufio.Reader
	silence *time.Timer
	cancel  context.CancelFunc
	base    string
}

// OpenWatch waits for changes of what an app receives. lastID is the state that
// the caller has seen, if it has seen one: then the first event is WatchChanged
// where it is another one now. An empty version follows the current one.
func (c *Client) OpenWatch(ctx context.Context, app, version, lastID string) (*Watch, error) {
	ctx, cancel := context.WithCancel(ctx)
	// Nothing for so long means that nobody is there any more.
	silence := time.AfterFunc(watchSilence, cancel)
	q := url.Values{"app": {app}}
	if version != "" {
		q.Set("version", version)
	}
	header := map[string]string{}
	if lastID != "" {
		header["Last-Event-ID"] = lastID
	}
	body, err := c.stream(ctx, http.MethodGet, c.internal, WatchPath+"?"+q.Encode(), nil, header, "text/event-stream")
	if err != nil {
		silence.Stop()
		cancel()
		return nil, err
	}
	return &Watch{body: body, lines: bufio.NewReaderSize(body, 4<<10), silence: silence, cancel: cancel, base: c.internal}, nil
}

// Next waits for the next event. Its error says that the stream has ended.
func (w *Watch) Next() (WatchEvent, error) {
	var e WatchEvent
	for {
		line, err := w.lines.ReadSlice('\n')
		if err != nil {
			return WatchEvent{}, &UnreachableError{URL: w.base, Err: fmt.Errorf("the stream of changes ended: %w", err)}
		}
		w.silence.Reset(watchSilence)
		text := strings.TrimRight(string(line), "\r\n")
		name, value, _ := strings.Cut(text, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "event":
			e.Event = value
		case "id":
			e.ID = value
		case "":
			if text == "" && e.Event != "" {
				return e, nil
			}
		}
	}
}

// Close ends the stream.
func (w *Watch) Close() {
	w.silence.Stop()
	w.cancel()
	w.body.Close()
}
