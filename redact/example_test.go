package redact_test

import (
	"fmt"
	"log"
	"os"
	"os/exec"

	"infsh/redact"
)

func ExampleValue() {
	key := redact.NewValue("sk-proj-4f9a2c7e1b")
	fmt.Printf("%v %+v %q\n", key, struct{ Key redact.Value }{key}, key)
	fmt.Println(len(key.Reveal()))
	// Output:
	// [redacted] {Key:[redacted]} [redacted]
	// 18
}

func ExampleWriter() {
	w := redact.NewWriter(os.Stdout, []redact.Needle{
		{Key: "OPENAI_API_KEY", Value: redact.NewValue("sk-proj-4f9a2c7e1b")},
		{Key: "DATABASE_URL", Value: redact.NewValue("postgres://app:p%40ssw0rd-1@db/app")},
	}, redact.WithKeys())

	// However the stream is cut.
	fmt.Fprint(w, "using sk-proj-")
	fmt.Fprintln(w, "4f9a2c7e1b")
	// In an encoding, here base64 of "Bearer " and the key.
	fmt.Fprintln(w, "header: QmVhcmVyIHNrLXByb2otNGY5YTJjN2UxYg==")
	// The password alone, with its escape resolved.
	fmt.Fprintln(w, "login failed with p@ssw0rd-1")
	w.Close()

	for _, found := range w.Findings() {
		fmt.Println(found.Key, found.Form, found.Count)
	}
	// Output:
	// using [redacted:OPENAI_API_KEY]
	// header: QmVhcmVyIH[redacted:OPENAI_API_KEY]g==
	// login failed with [redacted:DATABASE_URL]
	// DATABASE_URL password 1
	// OPENAI_API_KEY base64 1
	// OPENAI_API_KEY raw 1
}

// A Writer in front of a logger.
func ExampleNewWriter() {
	w := redact.NewWriter(os.Stdout, []redact.Needle{{Key: "TOKEN", Value: redact.NewValue("hf_0123456789")}})
	defer w.Close()
	logger := log.New(w, "", 0)
	logger.Print(`request failed: {"authorization":"Bearer hf_0123456789"}`)
	// Output: request failed: {"authorization":"Bearer [redacted]"}
}

// One Set for both outputs of a command.
func ExampleCompile() {
	set := redact.Compile([]redact.Needle{{Key: "TOKEN", Value: redact.NewValue("hf_0123456789")}})
	stdout, stderr := set.NewWriter(os.Stdout), set.NewWriter(os.Stderr)
	cmd := exec.Command("echo", "token=hf_0123456789")
	cmd.Stdout, cmd.Stderr = stdout, stderr
	err := cmd.Run()
	stdout.Close()
	stderr.Close()
	fmt.Println(err)
	// Output:
	// token=[redacted]
	// <nil>
}

func ExampleWeak() {
	for _, v := range []string{"true", "production", "sk-proj-4f9a2c7e1b"} {
		fmt.Println(redact.Weak(redact.NewValue(v)))
	}
	// Output:
	// true
	// true
	// false
}
