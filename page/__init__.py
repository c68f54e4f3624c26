"""The page in the browser: what trained networks can do, under one's hands. The house of `page.py`.

Files that end in `_tab`, `widgets`, `easel` and `app` are what is seen, in Gradio's words; the others are what is
done, and know nothing of Gradio (but for `guard`, which looks after what Gradio fetches).
"""
