package runner

// maxEntry is what SetEnvironmentVariable takes, in UTF-16 units; bytes of UTF-8
// are never fewer.
const maxEntry = 32_767

// maxTotal: CreateProcess has no limit on the whole environment.
func maxTotal() int { return 1 << 30 }
