package secret_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"infsh/audit"
	"infsh/listing"
	"infsh/problem"
	"infsh/redact"
	"infsh/secret"
)

// A reminder is of the secret and counts from the day of its value; an end is of
// one value. Neither keeps a run from starting, and both are in the log.
func TestRemindersAndEnds(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		write := func(change secret.Write) secret.Written {
			t.Helper()
			change.Key = "OPENAI_API_KEY"
			out, err := w.secrets.Set(t.Context(), w.owner, secret.Change, change)
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		logged := func(action, reason string, version int64) {
			t.Helper()
			if e := w.lastEntry(t); e.Action != action || e.Reason != reason || e.Target != "OPENAI_API_KEY" ||
				!slices.Equal(e.Versions, []audit.KeyVersion{{Key: "OPENAI_API_KEY", Version: version}}) {
				t.Errorf("the last entry is %+v", e)
			}
		}
		w.set(t, w.owner, "OPENAI_API_KEY", "the first value, aaaa")
		w.deploy(t, w.owner, "summarizer", required("OPENAI_API_KEY"))
		ended := time.Date(2020, 1, 31, 0, 0, 0, 0, time.UTC)
		got := write(secret.Write{RotateEvery: new(90), ExpiresAt: &ended})
		logged("secret.remind", "rotate every 90 days, ends 2020-01-31 00:00 UTC", 1)
		if got.RotateEvery != 90 || !got.ExpiresAt.Equal(ended) || !got.RotateAt().Equal(got.ValueAt.AddDate(0, 0, 90)) || got.Version != 1 {
			t.Errorf("it has %+v", got.Life)
		}
		if got.Expiry(time.Now()) != secret.Expired || got.Rotation(time.Now()) != secret.NoNeed || got.Rotation(got.RotateAt()) != secret.RotationDue || got.Rotation(got.RotateAt().AddDate(0, 0, 7)) != secret.RotationOverdue {
			t.Errorf("it needs %q and %q", got.Expiry(time.Now()), got.Rotation(time.Now()))
		}
		if env, err := w.resolve(t, w.owner, "summarizer"); err != nil || len(env) != 1 {
			t.Errorf("an expired value stops a run: %v", err)
		}
		before := w.entries(t)
		write(secret.Write{RotateEvery: new(90)})
		if e := w.lastEntry(t); w.entries(t) != before+1 || e.Outcome != audit.Unchanged {
			t.Errorf("the same reminder once more is %+v", e)
		}
		first := got.ValueAt

		// A new value has no end, and starts the reminder anew.
		second := redact.NewValue("the second value, bbbb")
		if got = write(secret.Write{Value: &second}); !got.ExpiresAt.IsZero() || got.RotateEvery != 90 || !got.ValueAt.After(first) {
			t.Errorf("after a rotation it has %+v", got.Life)
		}
		// The end comes with a value, or of the version that holds it already.
		third, soon := redact.NewValue("the third value, cccc"), time.Now().Add(24*time.Hour).UTC().Truncate(time.Second)
		if got = write(secret.Write{Value: &third, Stage: true, ExpiresAt: &soon}); !got.ExpiresAt.IsZero() {
			t.Errorf("the end of a staged value is that of the one in use: %+v", got.Life)
		}
		later := soon.AddDate(1, 0, 0)
		write(secret.Write{Value: &third, Stage: true, ExpiresAt: &later})
		logged("secret.remind", "ends "+later.Format("2006-01-02 15:04")+" UTC", 3)
		activated, err := w.secrets.Activate(t.Context(), w.owner, "OPENAI_API_KEY", 3)
		if err != nil || !activated.ExpiresAt.Equal(later) {
			t.Errorf("the end does not come with its version: %+v, %v", activated.Life, err)
		}
		// A rollback brings the old value, of the old age, with its end.
		back, err := w.secrets.Rollback(t.Context(), w.owner, "OPENAI_API_KEY", 1)
		if err != nil || back.Version != 4 || !back.ValueAt.Equal(first) || !back.ExpiresAt.Equal(ended) {
			t.Errorf("a rollback gives %+v: %v", back.Life, err)
		}
		again, err := w.secrets.Get(t.Context(), w.owner, "OPENAI_API_KEY")
		if err != nil || again.Life != back.Life {
			t.Errorf("it is stored as %+v, not %+v: %v", again.Life, back.Life, err)
		}

		for field, refused := range map[string]secret.Write{
			"rotate_every_days": {Key: "OPENAI_API_KEY", RotateEvery: new(-1)},
			"expires_at":        {Key: "OPENAI_API_KEY", ExpiresAt: new(time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC))},
		} {
			var e *problem.Error
			if _, err := w.secrets.Set(t.Context(), w.owner, secret.Change, refused); !errors.As(err, &e) || len(e.Fields) != 1 || e.Fields[0].Name != field {
				t.Errorf("%s: %v", field, err)
			}
		}
		if _, err := w.secrets.Set(t.Context(), w.member, secret.Change, secret.Write{Key: "OPENAI_API_KEY", RotateEvery: new(1)}); !errors.Is(err, problem.TeamRoleRequired) {
			t.Errorf("a member sets a reminder: %v", err)
		}
	})
}

// What is due is found by the database as each secret says it of itself.
func TestWhatIsDueIsFound(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		all := filled(t, w, 24)
		for _, day := range []int{0, 5, 20, 31, 61, 100} {
			at := time.Now().AddDate(0, 0, day).UTC().Truncate(time.Second)
			var want []string
			for _, s := range all {
				if s.Rotation(at) != secret.NoNeed || s.Expiry(at) != secret.NoNeed {
					want = append(want, string(s.Key))
				}
			}
			n, err := w.secrets.CountDue(t.Context(), w.member, at)
			if err != nil || n != len(want) {
				t.Errorf("%d are due in %d days, want %d: %v", n, day, len(want), err)
			}
			q, err := secret.Listing.Parse(listing.Request{Filters: secret.NeedsAttention(at), Limit: new(100)})
			if err != nil {
				t.Fatal(err)
			}
			page, err := w.secrets.Page(t.Context(), w.member, q)
			if err != nil || !slices.Equal(keys(page.Items), want) {
				t.Errorf("in %d days these are due: %v, want %v: %v", day, keys(page.Items), want, err)
			}
		}
	})
}

func (w *world) entries(t testing.TB) int {
	t.Helper()
	found, err := w.log.Search(t.Context(), w.owner, audit.Filter{}, 0)
	entries := found.Entries
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
