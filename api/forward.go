package api

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
)

// forwarded are the calls of runners.
var forwarded = map[string]string{ResolvePath: http.MethodPost, FindingsPath: http.MethodPost, WatchPath: http.MethodGet}

// Forwarder passes the calls of runners on to the server with the client's
// credential and team, and no others. It keeps nothing of what goes through it.
func (c *Client) Forwarder() (http.Handler, error) {
	target, err := url.Parse(c.internal)
	if err != nil {
		return nil, fmt.Errorf("the server's URL: %w", err)
	}
	proxy := &httputil.ReverseProxy{
		Transport:     c.opts.Transport,
		FlushInterval: -1, // events are passed on as they come
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Header.Set("User-Agent", c.opts.UserAgent)
			r.Out.Header.Set("Authorization", "Bearer "+c.bearer().Reveal())
			r.Out.Header.Del(TeamHeader)
			if c.opts.Team != "" {
				r.Out.Header.Set(TeamHeader, c.opts.Team)
			}
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, _ error) {
			refuse(w, http.StatusBadGateway, "server_unreachable", "the agent can't reach "+c.internal+": is the server running?")
		},
		ErrorLog: log.New(io.Discard, "", 0),
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if method, known := forwarded[r.URL.Path]; !known || method != r.Method {
			// As to a runner's key: it runs what is registered.
			refuse(w, http.StatusForbidden, "runs_only", "an agent passes on what a run asks for, and nothing else")
			return
		}
		proxy.ServeHTTP(w, r)
	}), nil
}

func refuse(w http.ResponseWriter, status int, title, detail string) {
	w.Header().Set("Content-Type", ProblemMediaType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(Problem{Title: title, Status: status, Detail: detail})
}
