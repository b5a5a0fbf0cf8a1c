"""A trained run as a Streamlit page: uploader, preview, class, heat map.

    streamlit run app.py
    streamlit run app.py -- --run output/my-run

Needs `pip install -e ".[app]"`. Without --run, the run that finished last in output/ is
used. Research software, not a medical device; not for diagnosis.
"""

from cancernet.commands.serve import show_page

if __name__ == "__main__":
    show_page(__doc__)
