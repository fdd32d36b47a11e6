"""Templates from outside: rendered as the harness renders them, and unable to reach Python or to fill the machine."""

import pytest

from scoring.benchmarks.templates import TemplateError, render

ROW = {"question": " Who? ", "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answer": "B"}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("Q: {{question.strip()}}\nA:\n", "Q: Who?\nA:\n"),
        ("{{choices.label.index(answer)}}", "1"),
        ("{{choices['text'][0] | capitalize}}", "A"),
        ("{% for each in choices.text %}{{loop.index}}{{each}} {% endfor %}", "1a 2b "),
        ("{{question | regex_replace('[?]', '!')}}", " Who! "),
        ("{% set x = 'y' %}{{x ~ x}}", "yy"),
    ],
)
def test_what_task_files_use_works(template: str, text: str) -> None:
    assert render([template], [ROW]) == [(text,)]


ESCAPES = [
    "{{ ''.__class__ }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ''['__class__'] }}",
    "{{ '' | attr('__class__') }}",
    "{{ question.strip.__globals__ }}",
    "{{ self.__init__.__globals__ }}",
    "{{ '{0.__class__}'.format(question) }}",
    "{{ '%s' | format(question.__class__) }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ joiner }}",
    "{{ lipsum() }}",
    "{{ namespace() }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}",
    "{{ open('/etc/passwd') }}",
    "{{ choices.text.append('c') }}",
    "{{ choices.clear() }}",
    "{{ unknown }}",
    "{{ unclosed",
]


@pytest.mark.parametrize("template", ESCAPES)
def test_python_is_out_of_reach(template: str) -> None:
    with pytest.raises(TemplateError, match="cannot be rendered"):
        render([template], [ROW])


BOMBS = [
    "{% for i in range(10 ** 9) %}{% endfor %}",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "{{ 'x' * 100000000 }}",
    "{{ 'x' * (10 ** 11) }}",
    "{{ 9 ** (9 ** 9) }}",
    "{% for i in range(99999) %}{{ question * 1000 }}{% endfor %}",
    "{{ 'x'.ljust(10 ** 10) }}",
    "{{ 'x' | center(100000000) }}",
    "{{ ('a' * 40) | regex_replace('(a+)+b', '') }}",
    "{% set a = 'x' * 1000 %}" + "{% set a = a ~ a %}" * 30 + "{{ a | length }}",
]


@pytest.mark.parametrize("template", BOMBS)
def test_time_memory_and_length_are_bounded(template: str) -> None:
    with pytest.raises(TemplateError):
        render([template], [ROW], seconds=1)


def test_the_failing_template_and_row_are_named() -> None:
    with pytest.raises(TemplateError) as caught:
        render(["fixed", "{{question}}"], [ROW, {"other": 1}])
    assert (caught.value.template, caught.value.row) == (1, 1)
