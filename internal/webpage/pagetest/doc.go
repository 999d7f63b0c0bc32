// Package pagetest knows how a test looks at a page as a person does, in a real
// browser: it opens Chromium without a window, notes everything that the page asks for
// and complains about, and holds it to what every page must be. A machine without a
// browser skips such tests, unless the variable NeedBrowser says that they must run.
package pagetest
