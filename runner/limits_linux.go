package runner

import "golang.org/x/sys/unix"

// maxEntry is MAX_ARG_STRLEN (execve(2)): the length of one string with the NUL
// that ends it.
const maxEntry = 131_072

// maxTotal is what execve(2) gives arguments and environment: a quarter of the
// stack limit, between 128 KiB and 6 MiB (three quarters of the default stack),
// less a page for the file name and what the kernel adds.
func maxTotal() int {
	const least, most, page = 128 << 10, 6 << 20, 4 << 10
	var stack unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_STACK, &stack); err != nil {
		return least - page
	}
	return int(min(max(stack.Cur/4, least), most)) - page
}
