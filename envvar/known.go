package envvar

// Known is a secret that many apps use, to be offered while one is typed.
type Known struct {
	Key         Key
	Service     string
	Description string
}

// WellKnown lists common secrets in the order in which they are offered. The
// slice is the caller's own.
func WellKnown() []Known {
	return []Known{
		{"OPENAI_API_KEY", "OpenAI", "GPT-4, DALL-E, Whisper"},
		{"ANTHROPIC_API_KEY", "Anthropic", "Claude models"},
		{"REPLICATE_API_TOKEN", "Replicate", "ML model hosting"},
		{"HUGGINGFACE_TOKEN", "Hugging Face", "Model downloads"},
		{"AWS_ACCESS_KEY_ID", "AWS", "S3, Lambda, etc."},
		{"AWS_SECRET_ACCESS_KEY", "AWS", "Paired with AWS_ACCESS_KEY_ID"},
		{"STRIPE_SECRET_KEY", "Stripe", "Payment processing"},
		{"SENDGRID_API_KEY", "SendGrid", "Email delivery"},
		{"TWILIO_AUTH_TOKEN", "Twilio", "SMS, voice"},
	}
}
