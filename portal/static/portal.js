/** What a page does without the server: copy, select all, ask before a step that takes much away. */
document.addEventListener('click', async (event) => {
  const button = event.target.closest('button[data-copy], button[data-copy-from]');
  if (!button) return;
  const from = button.dataset.copyFrom ? document.getElementById(button.dataset.copyFrom) : null;
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(from ? from.textContent : button.dataset.copy);
    button.textContent = 'Copied';
  } catch {
    button.textContent = 'Not copied';
  }
  const status = document.getElementById('status');
  if (status) status.textContent = button.textContent;
  setTimeout(() => { button.textContent = before; }, 1500);
});

/** Counts what is selected beside the buttons of a form. */
function counted(form) {
  const boxes = [...form.querySelectorAll('input[name=image]')];
  const chosen = boxes.filter((box) => box.checked).length;
  const place = form.querySelector('[data-chosen]');
  if (place) place.textContent = `${chosen} selected`;
  const all = form.querySelector('input[data-all]');
  if (all) {
    all.checked = chosen > 0 && chosen === boxes.length;
    all.indeterminate = chosen > 0 && chosen < boxes.length;
  }
}
document.addEventListener('change', (event) => {
  const { target } = event;
  if (!target.form) return;
  if (target.matches('input[data-all]')) for (const box of target.form.querySelectorAll('input[name=image]')) box.checked = target.checked;
  if (target.matches('input[data-all], input[name=image]')) counted(target.form);
});
for (const form of document.querySelectorAll('form')) if (form.querySelector('input[data-all]')) counted(form);

document.addEventListener('submit', (event) => {
  const ask = event.submitter?.dataset.ask;
  if (ask && !window.confirm(ask)) event.preventDefault();
});
