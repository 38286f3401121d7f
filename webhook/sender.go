package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"infsh/audit"
	"infsh/envelope"
	"infsh/publicnet"
	"infsh/redact"
)

const (
	// interval is how often the outbox is looked into.
	interval = time.Second
	// parallel is how many messages an instance sends at once. Endpoints whose
	// last message failed have a part of that, so that others always find room.
	parallel, parallelFailing = 32, 16
	// perTeam and perTeamFailing are a team's parts of these, of all instances.
	perTeam, perTeamFailing = 4, 2
	// timeout bounds a whole delivery, and leaseFor is longer: a message whose
	// sender has died is due again after it.
	timeout  = 15 * time.Second
	leaseFor = 60 * time.Second
	// maxAnswer is how much of an answer is read before it is dropped.
	maxAnswer = 64 << 10
)

// pauses are those that the specification proposes between the tries. After the
// last one, about three days after the first, a message is given up.
var pauses = []time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

// disable is the action of the entry that says that an endpoint was switched
// off for good reason.
const disable = "webhook.disable"

// Sender delivers what is in the outbox. Several instances share the work.
type Sender struct {
	outbox Outbox
	kek    *envelope.KEK
	client *http.Client
	log    *slog.Logger
	now    func() time.Time
	wake   chan struct{}

	// ended has an element for each message that is not on its way any more: the
	// endpoint was failing when it was sent, or was not. The counts are of those
	// that are, and belong to the goroutine of Run.
	ended             chan bool
	underWay, failing int
}

// NewSender makes a Sender that calls no address that guard refuses.
func NewSender(outbox Outbox, kek *envelope.KEK, guard Guard, log *slog.Logger) *Sender {
	dialer := &net.Dialer{Timeout: 5 * time.Second, Control: guard.control}
	return &Sender{
		outbox: outbox, kek: kek, log: log, wake: make(chan struct{}, 1), ended: make(chan bool, parallel),
		now: func() time.Time { return time.Now().UTC().Truncate(time.Microsecond) },
		client: &http.Client{
			Timeout: timeout,
			// No proxy: it would connect in our place, to addresses that we refuse.
			Transport: &http.Transport{
				DialContext: dialer.DialContext, TLSHandshakeTimeout: 5 * time.Second, ResponseHeaderTimeout: 10 * time.Second,
				DisableKeepAlives: true, DisableCompression: true, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 16 << 10,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Wake makes the sender look into the outbox at once.
func (s *Sender) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run delivers until ctx is done; what is on its way then is sent to the end.
func (s *Sender) Run(ctx context.Context) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	swept, failed := time.Time{}, false
	for {
		select {
		case <-ctx.Done():
			for s.underWay > 0 {
				s.end(<-s.ended)
			}
			return
		case <-tick.C:
		case <-s.wake:
		case failing := <-s.ended:
			s.end(failing)
		}
		err := s.deliver(ctx)
		if err == nil && s.now().Sub(swept) > time.Hour {
			swept = s.now()
			err = s.outbox.Forget(ctx, s.now().Add(-keepMessages))
		}
		if err != nil && !failed && ctx.Err() == nil {
			s.log.Error("the outbox of webhooks can't be read; it goes on trying", "error", err)
		}
		failed = err != nil
	}
}

// end counts out a message, and all others that ended meanwhile.
func (s *Sender) end(failing bool) {
	for {
		s.underWay--
		if failing {
			s.failing--
		}
		select {
		case failing = <-s.ended:
		default:
			return
		}
	}
}

// deliver starts to send what is due and finds room, and waits for none of it.
func (s *Sender) deliver(ctx context.Context) error {
	if s.underWay >= parallel {
		return nil
	}
	due, err := s.outbox.Due(ctx, s.now(), Room{
		All: parallel - s.underWay, Failing: parallelFailing - s.failing, Team: perTeam, TeamFailing: perTeamFailing,
	})
	for _, id := range due {
		job, ok, leaseErr := s.outbox.Lease(ctx, id, s.now(), s.now().Add(leaseFor))
		if leaseErr != nil {
			return leaseErr
		}
		if !ok {
			continue
		}
		failing := !job.Webhook.FailingSince.IsZero()
		s.underWay++
		if failing {
			s.failing++
		}
		go func() {
			defer func() { s.ended <- failing }()
			s.try(ctx, job)
		}()
	}
	return err
}

func (s *Sender) try(ctx context.Context, job Job) {
	// From here on the attempt counts, so it is made and its end is stored.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseFor)
	defer cancel()
	got, err := s.send(ctx, job)
	entry := s.finish(&job, got, err)
	if err := s.outbox.Finish(ctx, job, entry); err != nil {
		s.log.Error("what became of a webhook's message can't be stored; it will be sent again", "message", job.ID, "error", err)
	}
}

// answer is what an endpoint said. Status is 0 where none came, and retryAfter
// the time for which it wants to be left alone.
type answer struct {
	status     int
	retryAfter time.Duration
}

// finish says what became of a message and of its endpoint.
func (s *Sender) finish(job *Job, got answer, err error) (entry audit.Entry) {
	now := s.now()
	job.LastAt, job.LastStatus, job.LastError = now, got.status, ""
	w := &job.Webhook
	if err == nil {
		job.State, w.FailingSince = Delivered, time.Time{}
		return entry
	}
	job.LastError = err.Error()
	if w.FailingSince.IsZero() {
		w.FailingSince = now
	}
	switch {
	case got.status == http.StatusGone:
		job.State, w.Enabled, w.DisabledReason = GivenUp, false, "it answered 410 Gone"
	case job.Attempts > len(pauses):
		job.State = GivenUp
		// Nothing came through since the first try of this one.
		if !w.FailingSince.After(job.CreatedAt.Add(time.Hour)) {
			w.Enabled, w.DisabledReason = false, "nothing could be delivered for days"
		}
	default:
		pause := pauses[job.Attempts-1]
		job.NextAt = now.Add(pause + rand.N(pause/5+1))
		if got.retryAfter > 0 {
			job.HoldUntil = now.Add(got.retryAfter)
		}
		if job.NextAt.Before(job.HoldUntil) {
			job.NextAt = job.HoldUntil
		}
	}
	if !w.Enabled {
		entry = audit.Entry{ID: uuid.NewString(), At: now, TeamID: w.TeamID, ActorKind: "system", ActorName: "infsh", Action: disable, Target: w.Host(), Outcome: audit.Allowed, Reason: w.DisabledReason}
	}
	return entry
}

// send makes one try. Its error is a sentence for the team, without what the
// endpoint answered.
func (s *Sender) send(ctx context.Context, job Job) (answer, error) {
	secrets, err := s.open(job)
	if err != nil {
		s.log.Error("the signing secret of a webhook does not open", "webhook", job.Webhook.ID, "error", err)
		return answer{}, errDamagedSecret
	}
	at := s.now()
	signature, err := sign(secrets, job.ID, at, job.Payload)
	if err != nil {
		return answer{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, job.Webhook.URL, bytes.NewReader(job.Payload))
	if err != nil {
		return answer{}, errors.New("its address can't be used")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "infsh-webhook")
	req.Header.Set("webhook-id", job.ID)
	req.Header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	req.Header.Set("webhook-signature", signature)
	resp, err := s.client.Do(req)
	var timedOut net.Error
	switch {
	case errors.Is(err, publicnet.ErrPrivate):
		return answer{}, publicnet.ErrPrivate
	case errors.As(err, &timedOut) && timedOut.Timeout():
		return answer{}, errors.New("it did not answer in time")
	case err != nil:
		return answer{}, errors.New("it could not be reached")
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer)
	got := answer{status: resp.StatusCode}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		got.retryAfter = retryAfter(resp.Header.Get("Retry-After"), at)
		return got, fmt.Errorf("it answered %d", resp.StatusCode)
	}
	return got, nil
}

// retryAfter reads seconds or a date (RFC 9110, section 10.2.3), and is 0 for
// anything else. Nobody is left alone for longer than between the last tries.
func retryAfter(header string, now time.Time) time.Duration {
	longest := pauses[len(pauses)-1]
	if seconds, err := strconv.ParseUint(header, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, longest)
	}
	at, err := http.ParseTime(header)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), longest)
}

// open opens the signing secrets that still sign.
func (s *Sender) open(job Job) ([]redact.Value, error) {
	dek, err := s.kek.OpenDEK(job.TeamID, job.WrappedDEK)
	if err != nil {
		return nil, err
	}
	var out []redact.Value
	for _, sealed := range job.Secrets {
		if !sealed.ExpiresAt.IsZero() && !s.now().Before(sealed.ExpiresAt) {
			continue
		}
		plain, err := dek.Open(place(job.TeamID, job.WebhookID, sealed.Version), sealed.Value)
		if err != nil {
			return nil, err
		}
		out = append(out, redact.NewValue(string(plain)))
	}
	if len(out) == 0 {
		return nil, errDamagedSecret
	}
	return out, nil
}
