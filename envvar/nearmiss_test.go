package envvar

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestNearMissesFindWhatWasMeant(t *testing.T) {
	tests := []struct {
		want, have Key
		reason     string
	}{
		{"OPENAI_API_KEY", "openai_api_key", ReasonCase},
		{"GROQ_API_KEY", "Groq_Api_Key", ReasonCase},

		{"HF_TOKEN", "HUGGINGFACE_TOKEN", ReasonAlias},
		{"HUGGINGFACE_TOKEN", "HUGGING_FACE_HUB_TOKEN", ReasonAlias},
		{"HF_TOKEN", "HUGGINGFACEHUB_API_TOKEN", ReasonAlias},
		{"HF_TOKEN", "huggingface_token", ReasonAlias},
		{"GEMINI_API_KEY", "GOOGLE_API_KEY", ReasonAlias},
		{"OPENAI_KEY", "OPENAI_API_KEY", ReasonAlias},
		{"FAL_KEY", "FAL_API_KEY", ReasonAlias},
		{"ANTHROPIC_KEY", "ANTHROPIC_API_KEY", ReasonAlias},
		{"ANTHROPIC_API_KEY", "CLAUDE_API_KEY", ReasonAlias},
		{"REPLICATE_API_KEY", "REPLICATE_API_TOKEN", ReasonAlias},
		{"ELEVENLABS_KEY", "ELEVENLABS_API_KEY", ReasonAlias},
		{"RUNWAY_KEY", "RUNWAYML_API_SECRET", ReasonAlias},
		{"ACME_KEY", "ACME_API_KEY", ReasonAlias}, // in no table
		{"ACME_APIKEY", "ACME_API_KEY", ReasonAlias},
		{"ACME_DB_PASS", "ACME_DB_PASSWORD", ReasonAlias},
		{"QUEUE_URL", "QUEUE_URI", ReasonAlias},

		{"ACME_KEY", "ACME_API_TOKEN", ReasonMaybeSame},

		{"OPENAI_API_KEY", "OPNEAI_API_KEY", ReasonSpelling},
		{"OPENAI_API_KEY", "OPENAI_API_KYE", ReasonSpelling},
		{"OPENAI_API_KEY", "OPENAI_API_KEYS", ReasonSpelling},
		{"OPENAI_API_KEY", "OPENAIAPIKEY", ReasonSpelling},
		{"OPENAI_API_KEY", "MY_OPENAI_API_KEY", ReasonSpelling},
		{"OPENAI_API_KEY", "OPENAI_API_KEY_PROD", ReasonSpelling},
		{"NEXT_PUBLIC_ACME_KEY", "ACME_KEY", ReasonSpelling},
		{"STRIPE_SECRET_KEY", "STRIPE_KEY_SECRET", ReasonSpelling},
		{"HUGGINGFACE_TOKEN", "HUGINGFACE_TOKEN", ReasonSpelling},
		{"DATABASE_URL", "DATABSE_URL", ReasonSpelling},
	}
	for _, tt := range tests {
		want := []NearMiss{{tt.have, tt.reason}}
		if got := NearMisses(tt.want, []Key{tt.have}); !reflect.DeepEqual(got, want) {
			t.Errorf("NearMisses(%s, %s) = %v; want %v", tt.want, tt.have, got, want)
		}
		back := []NearMiss{{tt.want, tt.reason}}
		if got := NearMisses(tt.have, []Key{tt.want}); !reflect.DeepEqual(got, back) {
			t.Errorf("NearMisses(%s, %s) = %v; want %v", tt.have, tt.want, got, back)
		}
	}
}

func TestDifferentCredentialsAreNotNear(t *testing.T) {
	for _, pair := range [][2]Key{
		{"OPENAI_API_KEY", "OPENAI_API_KEY"}, // not a miss at all
		{"OPENAI_API_KEY", "ANTHROPIC_API_KEY"},
		{"OPENAI_API_KEY", "AZURE_OPENAI_API_KEY"},
		{"OPENAI_API_KEY", "OPENROUTER_API_KEY"},
		{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"},
		{"AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY"},
		{"AWS_SECRET_KEY", "AWS_ACCESS_KEY"},
		{"KLING_ACCESS_KEY", "KLING_SECRET_KEY"},
		{"KLING_KEY", "KLING_SECRET_KEY"},
		{"STRIPE_SECRET_KEY", "STRIPE_PUBLISHABLE_KEY"},
		{"STRIPE_KEY_1", "STRIPE_KEY_2"},
		{"STRIPE_KEY_PROD", "STRIPE_KEY_DEV"},
		{"TWILIO_AUTH_TOKEN", "TWILIO_ACCOUNT_SID"},
		{"TWILIO_AUTH_TOKEN", "TWILIO_API_KEY"},
		{"CLOUDFLARE_API_KEY", "CLOUDFLARE_API_TOKEN"},
		{"GROK_API_KEY", "GROQ_API_KEY"},
		{"EXA_API_KEY", "XAI_API_KEY"},
		{"FAL_KEY", "HAL_KEY"},
		{"GITHUB_TOKEN", "GITLAB_TOKEN"},
		{"SERP_API_KEY", "SERPER_API_KEY"},
		{"KREA_KEY", "BRIA_KEY"},
		{"DB_USER", "DB_PASSWORD"},
		{"SMTP_HOST", "SMTP_PORT"},
		{"API_KEY", "API_TOKEN"},
		{"FOO_ID", "FOO_IP"},
	} {
		for _, p := range [][2]Key{pair, {pair[1], pair[0]}} {
			if got := NearMisses(p[0], []Key{p[1]}); len(got) != 0 {
				t.Errorf("NearMisses(%s, %s) = %v; want none", p[0], p[1], got)
			}
		}
	}
}

func TestNearMissesComeBestFirstAndAreFew(t *testing.T) {
	have := []Key{"HF_TOKNE", "HF_KEY", "UNRELATED", "hf_token", "HUGGINGFACE_TOKEN", "hf_token", "HF_TOKEN"}
	want := []NearMiss{
		{"hf_token", ReasonCase},
		{"HF_KEY", ReasonAlias},
		{"HUGGINGFACE_TOKEN", ReasonAlias},
		{"HF_TOKNE", ReasonSpelling},
	}
	if got := NearMisses("HF_TOKEN", have); !reflect.DeepEqual(got, want) {
		t.Errorf("NearMisses = %v; want %v", got, want)
	}

	have = append(have, "HF_API_KEY", "HF_API_TOKEN", "HUGGINGFACE_KEY", "Hf_Token")
	if got := NearMisses("HF_TOKEN", have); len(got) != MaxNearMisses || got[0].Key != "Hf_Token" {
		t.Errorf("NearMisses = %v; want the best %d", got, MaxNearMisses)
	}
	if got := NearMisses("HF_TOKEN", nil); len(got) != 0 {
		t.Errorf("NearMisses with nothing set = %v; want none", got)
	}
}

func TestTheAliasTableIsConsistent(t *testing.T) {
	total := 0
	for line := range strings.Lines(aliases) {
		for _, name := range strings.Fields(line) {
			total++
			key, err := ParseKey(name)
			if err != nil {
				t.Error(err)
			}
			if key.Risk() == Refused {
				t.Errorf("%s can't be set", key)
			}
			if strings.ToUpper(name) != name {
				t.Errorf("%s is not in capitals, so it is never found", name)
			}
		}
	}
	if total != len(credentialOf()) {
		t.Errorf("%d names on the lines, %d different ones: a name stands on two lines", total, len(credentialOf()))
	}
	for _, k := range WellKnown() {
		if !isUsual(k.Key) {
			t.Errorf("%s is offered, but the table doesn't know it", k.Key)
		}
	}
}

func FuzzNearMisses(f *testing.F) {
	f.Add("OPENAI_API_KEY", "openai_api_key ANTHROPIC_API_KEY OPENAI_KEY")
	f.Add("HF_TOKEN", "HUGGINGFACE_TOKEN HF_TOKEN HFTOKEN TOKEN_HF")
	f.Add("_", "__ ___ A")
	f.Add("STRIPE_KEY_1", "STRIPE_KEY_2 STRIPE_KEY")
	f.Add("MY_MY_KEY", "MY_KEY KEY MY")
	f.Add(strings.Repeat("AB_", 42), strings.Repeat("BA_", 42)+" "+strings.Repeat("A", 128))
	f.Fuzz(func(t *testing.T, wanted, set string) {
		want, err := ParseKey(wanted)
		if err != nil {
			return
		}
		var have []Key
		for _, s := range strings.Fields(set) {
			if k, err := ParseKey(s); err == nil {
				have = append(have, k)
			}
		}
		got := NearMisses(want, have)
		if len(got) > MaxNearMisses {
			t.Fatalf("%d near misses", len(got))
		}
		for i, m := range got {
			rank, known := reasonRank[m.Reason]
			if !known || m.Key == want || !slices.Contains(have, m.Key) {
				t.Fatalf("NearMisses(%s, %v) gives %v", want, have, m)
			}
			if i > 0 && reasonRank[got[i-1].Reason] > rank {
				t.Fatalf("not best first: %v", got)
			}
			if (m.Reason == ReasonCase) != strings.EqualFold(string(m.Key), string(want)) {
				t.Fatalf("%s and %s: %s", want, m.Key, m.Reason)
			}
			if back := NearMisses(m.Key, []Key{want}); len(back) != 1 || back[0].Reason != m.Reason {
				t.Fatalf("%s is near %s (%s), but the other way round: %v", m.Key, want, m.Reason, back)
			}
		}
	})
}
