package federation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"infsh/publicnet"
)

const (
	// keepKeys is how long an issuer's keys are used without asking again, so that
	// one that was withdrawn is refused after that.
	keepKeys = 5 * time.Minute
	// askAgain is how long an issuer is left alone after it was asked: tokens with
	// invented keys, and an issuer that is away, cost it no more than that.
	askAgain = 10 * time.Second
	// askTimeout bounds each of the two requests.
	askTimeout = 5 * time.Second
	maxAnswer  = 256 << 10
	// maxIssuers is of how many the keys are in memory, at most 50 KiB of each.
	maxIssuers = 500
)

// Guard says which issuers may be asked.
type Guard struct {
	// AllowPrivate lets issuers be in a private network, and plain http be spoken to
	// this machine.
	AllowPrivate bool
}

// checkURL refuses what is no address of an issuer, or of its keys, which may have
// a query.
func (g Guard) checkURL(raw string, mayAsk bool) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Hostname() == "" || len(raw) > maxIssuerLength || u.Opaque != "" || !plain(raw, maxIssuerLength):
		return errors.New("it must be an address such as https://gitlab.com")
	case u.Scheme != "https" && (u.Scheme != "http" || !g.AllowPrivate || !isLoopback(u.Hostname())):
		return errors.New("it must begin with https://")
	case u.User != nil:
		return errors.New("leave user name and password out of it")
	case !mayAsk && (u.RawQuery != "" || u.ForceQuery) || u.Fragment != "" || strings.Contains(raw, "#"):
		return errors.New("leave out what follows ? or #")
	}
	if !g.AllowPrivate {
		return publicnet.CheckHost(u.Hostname())
	}
	return nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// issuers asks issuers for their keys, and keeps these in memory for a while.
type issuers struct {
	guard Guard
	// public calls public addresses alone, private any.
	public, private *http.Client
	// signed looks for the key that signed a token.
	signed func(context.Context, *token, []publicKey) (known, signed bool, err error)
	now    func() time.Time
	known  *lru.Cache[string, *issuer]
	// tidied is when those were forgotten that nobody asks for any more.
	tidied atomic.Int64
}

// issuer is what is known of one. Who holds turn asks it.
type issuer struct {
	turn  chan struct{}
	keys  []publicKey
	read  time.Time
	asked time.Time
	err   error
	// used is when a token of it was verified last.
	used atomic.Int64
}

func newIssuers(guard Guard, signed func(context.Context, *token, []publicKey) (known, signed bool, err error), now func() time.Time) *issuers {
	known, err := lru.New[string, *issuer](maxIssuers)
	if err != nil {
		panic(err) // only a size below 1 is refused
	}
	plain := func(next http.RoundTripper) http.RoundTripper { return next }
	out := &issuers{guard: guard, signed: signed, now: now, known: known, public: publicnet.Client(publicnet.Dialer(publicnet.Control), askTimeout, plain)}
	if guard.AllowPrivate {
		out.private = publicnet.Client(publicnet.Dialer(nil), askTimeout, plain)
	}
	return out
}

// errUnreachable wraps why an issuer gave no keys, in words that hold nothing of
// its answers.
type errUnreachable struct{ why error }

func (e *errUnreachable) Error() string { return e.why.Error() }
func (e *errUnreachable) Unwrap() error { return e.why }

// tidy forgets issuers whose keys have become too old to be used.
func (i *issuers) tidy(now time.Time) {
	before, old := i.tidied.Load(), now.Add(-keepKeys).UnixNano()
	if now.Sub(time.Unix(0, before)) < keepKeys/5 || !i.tidied.CompareAndSwap(before, now.UnixNano()) {
		return
	}
	for _, name := range i.known.Keys() {
		if one, ok := i.known.Peek(name); ok && one.used.Load() < old {
			i.known.Remove(name)
		}
	}
}

// verify reports whether the token is signed by a key that the issuer has now.
// The error is an *errUnreachable where that can't be known, or that of signed.
func (i *issuers) verify(ctx context.Context, t *token, name string) (bool, error) {
	i.tidy(i.now())
	one, ok := i.known.Get(name)
	if !ok {
		one = &issuer{turn: make(chan struct{}, 1)}
		one.used.Store(i.now().UnixNano())
		if other, there, _ := i.known.PeekOrAdd(name, one); there {
			one = other
		}
	}
	select {
	case one.turn <- struct{}{}:
		defer func() { <-one.turn }()
	case <-ctx.Done():
		return false, &errUnreachable{errors.New("it did not answer in time")}
	}
	now := i.now()
	one.used.Store(now.UnixNano())
	fresh := !one.read.IsZero() && now.Sub(one.read) < keepKeys && !now.Before(one.read)
	if fresh {
		if known, ok, err := i.signed(ctx, t, one.keys); known || err != nil {
			return ok, err
		}
	} else {
		one.keys = nil
	}
	// The key may be new, or the keys are old.
	if !one.asked.IsZero() && now.Sub(one.asked) < askAgain && !now.Before(one.asked) {
		if !fresh {
			return false, &errUnreachable{one.err}
		}
		return false, nil
	}
	keys, err := i.ask(ctx, name)
	one.asked, one.err = i.now(), err
	if err != nil {
		// Keys that are young enough go on; the one that was asked for is not among them.
		return false, &errUnreachable{err}
	}
	// A key may have been withdrawn while the answer was on its way.
	one.keys, one.read = keys, now
	_, ok, err = i.signed(ctx, t, keys)
	return ok, err
}

var (
	errSlow     = errors.New("it did not answer in time")
	errSilent   = errors.New("it could not be reached")
	errNonsense = errors.New("its answer could not be read")
	errOther    = errors.New("its discovery document is another issuer's")
)

// ask reads an issuer's keys (OpenID Connect Discovery 1.0). It goes on when the
// client is gone: others wait for it. Only an issuer that is in a private network
// itself may have its keys there: another one would have this server call what it
// can't reach.
func (i *issuers) ask(ctx context.Context, name string) ([]publicKey, error) {
	ctx = context.WithoutCancel(ctx)
	var document struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	client, address := i.public, strings.TrimSuffix(name, "/")+"/.well-known/openid-configuration"
	body, err := get(ctx, client, address)
	if i.guard.AllowPrivate && errors.Is(err, publicnet.ErrPrivate) {
		client = i.private
		body, err = get(ctx, client, address)
	}
	if err != nil {
		return nil, err
	}
	if json.Unmarshal(body, &document) != nil {
		return nil, errNonsense
	}
	if document.Issuer != name {
		return nil, errOther
	}
	if err := i.guard.checkURL(document.Keys, true); err != nil {
		return nil, fmt.Errorf("the address of its keys can't be asked: %w", err)
	}
	if body, err = get(ctx, client, document.Keys); err != nil {
		return nil, err
	}
	return parseKeys(body)
}

func get(ctx context.Context, client *http.Client, address string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, errSilent
	}
	r.Header.Set("User-Agent", "infsh-federation")
	r.Header.Set("Accept", "application/json")
	res, err := client.Do(r)
	var late net.Error
	switch {
	case errors.Is(err, publicnet.ErrPrivate):
		return nil, publicnet.ErrPrivate
	case errors.As(err, &late) && late.Timeout():
		return nil, errSlow
	case err != nil:
		return nil, errSilent
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answered %d", res.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case errors.As(err, &late) && late.Timeout():
		return nil, errSlow
	case err != nil:
		return nil, errSilent
	case len(body) > maxAnswer:
		return nil, errNonsense
	}
	return body, nil
}
