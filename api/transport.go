package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"infsh/redact"
)

const (
	maxAttempts = 4
	// maxRefused is lower: a server that is being restarted is back soon, and
	// one that does not run should be reported soon.
	maxRefused   = 3
	firstBackoff = 200 * time.Millisecond
	// maxRetryAfter is the longest pause that a server may ask for; beyond it
	// the person is told instead.
	maxRetryAfter = 10 * time.Second
)

// call is one request, to be sent once or several times.
type call struct {
	method string
	base   string
	path   string
	// body is encoded already. It may hold plaintexts: it is neither logged nor
	// quoted.
	body []byte
	// form says that body is a form, and not JSON.
	form bool
	// repeatable is a call that changes nothing, or nothing more when repeated.
	repeatable bool
	// sent are the plaintexts in body. A server that echoes one in an error
	// does not get it onto the terminal.
	sent []redact.Value
}

// do sends a call and decodes the answer into out, which may be nil. It returns
// the status of a success.
func (c *Client) do(ctx context.Context, call call, out any) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	renewed := false
	for attempt := 1; ; attempt++ {
		credential := c.bearer()
		status, err := c.once(ctx, call, credential, out)
		if err == nil {
			return status, nil
		}
		if !renewed {
			if renewed, err = c.renew(ctx, credential, err); renewed {
				continue
			}
		}
		pause, again := retryPause(call, err, attempt)
		if !again {
			return status, err
		}
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < pause {
			return status, err
		}
		if c.opts.wait(ctx, pause) != nil {
			return status, err
		}
	}
}

// retryPause says whether a failed attempt is worth another one, and when. A
// connection that was refused carried nothing, so every call may be repeated
// after it. An answer that came is final for a call that changes something.
func retryPause(call call, err error, attempt int) (time.Duration, bool) {
	if attempt >= maxAttempts {
		return 0, false
	}
	backoff := firstBackoff << (attempt - 1)
	backoff += rand.N(backoff / 2)

	if errors.Is(err, syscall.ECONNREFUSED) {
		return backoff, attempt < maxRefused
	}
	var answered *Error
	if !call.repeatable || !errors.As(err, &answered) {
		return 0, false
	}
	switch answered.Status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable:
		return max(backoff, answered.RetryAfter), answered.RetryAfter <= maxRetryAfter
	}
	return 0, false
}

func (c *Client) once(ctx context.Context, call call, credential redact.Value, out any) (int, error) {
	req, err := http.NewRequestWithContext(ctx, call.method, call.base+call.path, bytes.NewReader(call.body))
	if err != nil {
		return 0, &ProtocolError{URL: call.base, Reason: "the request's address is not valid"}
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.opts.UserAgent)
	if call.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if call.form {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if !credential.IsZero() {
		req.Header.Set("Authorization", "Bearer "+credential.Reveal())
	}
	if c.opts.Team != "" {
		req.Header.Set(TeamHeader, c.opts.Team)
	}

	start := time.Now()
	resp, err := c.http.Do(req)
	if err != nil {
		c.opts.Logger.DebugContext(ctx, "request failed", "method", call.method, "path", call.path,
			"duration", time.Since(start))
		return 0, unreachable(ctx, call.base, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxResponseBytes+1))
	c.opts.Logger.DebugContext(ctx, "request", "method", call.method, "path", call.path,
		"status", resp.StatusCode, "duration", time.Since(start))
	if err != nil {
		return resp.StatusCode, unreachable(ctx, call.base, err)
	}
	if len(body) > maxResponseBytes {
		return resp.StatusCode, &ProtocolError{URL: call.base, Reason: "the answer is too large"}
	}

	switch {
	case resp.StatusCode >= 200 && resp.StatusCode < 300:
		return resp.StatusCode, decode(call.base, resp, body, out)
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return resp.StatusCode, redirected(call.base, resp)
	}
	return resp.StatusCode, c.problem(call, resp, body)
}

// unreachable drops the outer layer of net/http's error, which would name the
// request's address again.
func unreachable(ctx context.Context, base string, err error) error {
	if errors.Is(err, context.Canceled) {
		return context.Canceled
	}
	if errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		return &UnreachableError{URL: base, Err: errors.New("no complete answer in time")}
	}
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err
	}
	return &UnreachableError{URL: base, Err: err}
}

// decode does not pass on what encoding/json says, since that may quote the
// answer, and the answer may hold a value.
func decode(base string, resp *http.Response, body []byte, out any) error {
	if out == nil || resp.StatusCode == http.StatusNoContent {
		return nil
	}
	if !isJSON(resp) {
		return &ProtocolError{URL: base, Reason: "it is not JSON. Is this the address of an infsh server?"}
	}
	if json.Unmarshal(body, out) != nil {
		return &ProtocolError{URL: base, Reason: "its JSON is not what this program expects. Are server and program of the same version?"}
	}
	return nil
}

func isJSON(resp *http.Response) bool {
	mediaType, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return err == nil && (mediaType == "application/json" || mediaType == ProblemMediaType)
}

func redirected(base string, resp *http.Response) error {
	target := "another address"
	if location, err := resp.Location(); err == nil && location.Host != "" {
		target = location.Scheme + "://" + location.Host
	}
	return &ProtocolError{URL: base, Reason: "it redirects to " + target +
		". That is not followed, since it would take the API key along: set INFSH_URL to the right address"}
}

// problem turns an error's body into an Error.
func (c *Client) problem(call call, resp *http.Response, body []byte) error {
	out := &Error{Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header.Get("Retry-After"), time.Now())}
	var p Problem
	if !isJSON(resp) || json.Unmarshal(body, &p) != nil {
		return out
	}
	clean := c.scrubber(call)
	out.Title, out.Detail = clean(p.Title), clean(p.Detail)
	for _, field := range p.Fields {
		out.Errors = append(out.Errors, FieldError{Field: clean(field.Field), Message: clean(field.Message)})
	}
	for _, requirement := range p.Requirements {
		requirement.Message = clean(requirement.Message)
		out.Requirements = append(out.Requirements, requirement)
	}
	return out
}

// scrubber covers what this client sent in confidence, wherever a server puts
// it into an error.
func (c *Client) scrubber(call call) func(string) string {
	const shortest = 6 // Shorter ones are words, and would make messages unreadable.
	var pairs []string
	for _, v := range append([]redact.Value{c.bearer()}, call.sent...) {
		if v.Len() >= shortest {
			pairs = append(pairs, v.Reveal(), redact.Mask)
		}
	}
	return strings.NewReplacer(pairs...).Replace
}

// retryAfter reads both forms of the header (RFC 9110, section 10.2.3).
func retryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(header); err == nil {
		return time.Duration(min(max(seconds, 0), 1<<20)) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}
