// Package redact keeps secrets out of output. [Value] holds a secret that no
// formatting, logging or encoding shows. [Writer] masks secrets in a stream that
// somebody else writes, such as a child process or a log pipeline:
//
//	w := redact.NewWriter(os.Stdout, []redact.Needle{{Key: "OPENAI_API_KEY", Value: key}})
//	defer w.Close()
//	log.SetOutput(w)
//
// # What is masked
//
// Each value of [MinLength] bytes or more, in each of these forms, wherever the
// stream is cut into writes:
//
//   - as it is, without blanks around it;
//   - of a value of several lines, also each line of [MinLength] bytes or more,
//     but not -----BEGIN and -----END lines;
//     and the whole with its line breaks as LF, CR LF, CR, a space, nothing,
//     \n or \r\n;
//   - of a value that is a URL, also the password in it, as written and with its
//     percent escapes resolved; and that of a connection string of pairs, such as
//     host=db password=…, as written and with its backslashes resolved;
//   - of a value that is a JSON object, also each member of 12 bytes or more whose
//     name says that it is a secret (access_token, private_key, clientSecret), and
//     its lines;
//   - in JSON: as JavaScript, Go (with and without HTML escapes), Python, PHP,
//     Jackson and .NET escape it;
//   - quoted by Go (%q, %+q) and by Python (repr of str and bytes, ascii);
//   - quoted for a shell: single quotes, the quote itself written \' or "'", double quotes, $'…',
//     backslashes (bash's printf %q); $ doubled as for Compose; quotes doubled as
//     in SQL and CSV;
//   - percent-encoded for URLs, in upper-case and lower-case hex, with + or %20,
//     whichever characters the common encoders leave as they are;
//   - escaped for HTML and XML, by name, decimal and hex number; and for scripts
//     in pages (\x3c, \u003c);
//   - in hex of either case;
//   - in base64, standard and URL-safe, padded or not, also in the middle of a
//     larger text that is encoded: there the characters that the value alone
//     determines (one character on either side may hold a few of its bits);
//   - base64, hex or the plain value wrapped over several lines of 64 or more
//     characters, indented or not, the breaks as LF, CR LF, blanks, \n or \r\n;
//   - each of these with a terminal's control sequences inside: colours, erasing,
//     links. They follow after the mask, if they are short, and what stands in
//     them is looked through as well.
//
// Where occurrences overlap, their union becomes one mask and no fragment stays.
// Each of the forms is taken of the value, of its lines, of its password and of such members. Of a
// value longer than 4 KiB only the most common quotings and escapes are: hex,
// base64, JSON, Go, Python, single-quoted and $'…' in shells, fully escaped URLs,
// HTML as Go writes it, and XML.
//
// # What is not
//
// Values shorter than [MinLength], and some plain words ([Weak] tells). Encodings
// of encodings (base64 of base64, JSON in JSON, where the value has characters
// that JSON escapes); compression; encryption; reversal; other bases; hex with
// separators; UTF-16; letters of another case; a value that is drawn by moving
// the cursor or by overstriking; a part of a value; a value that is printed in
// turns on two streams. Masking is a net for accidents. A program that wants to print a secret
// can always evade it.
//
// # What was found
//
// A mask is a finding, too: a program prints a secret. [Writer.Findings] counts
// them by key and [Form], without any of the content.
//
// # Cost
//
// Patterns are found by shifts over blocks of four bytes (Wu and Manber) and,
// where a pattern may start, an Aho–Corasick automaton. Where patterns may start
// nearly everywhere, the automaton goes on alone: linear in any text. Near control
// sequences, the text is searched without them; that takes some five times as long
// as text without colours. Memory is bounded by the longest form. BenchmarkPipe compares the rate with that of plain
// copies through the same pipes.
package redact
